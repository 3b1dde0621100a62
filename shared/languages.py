"""The languages that a client asks for."""

from __future__ import annotations

import re
from typing import Final

MAX_LANGUAGES: Final = 10
_RANGE = re.compile(r"^\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$")


def preferred_languages(accept_language: str) -> list[str]:
    """Return the languages of an Accept-Language header, the preferred first.

    Args:
        accept_language: The header's value; parts that are no language ranges are passed over, and so is ``*``.

    Returns:
        At most ten tags, by falling weight and then in the order given; none of weight 0.

    Source: RFC 9110 section 12.5.4.
    """
    found = [each for part in accept_language[:1000].split(",") if (each := _RANGE.match(part)) is not None]
    weighed = [(-float(each[2] or 1), each[1]) for each in found if float(each[2] or 1) > 0]
    return [tag for _, tag in sorted(weighed, key=lambda pair: pair[0])][:MAX_LANGUAGES]
