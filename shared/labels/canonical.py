"""One form for equal values: equal labels have equal bytes."""

from hashlib import sha256
from typing import Any

import orjson


class NotCanonicalError(ValueError):
    """A value has no canonical JSON: it holds something that JSON cannot carry exactly."""


def canonical_json(value: Any) -> bytes:
    """Write a JSON value so that equal values give equal bytes.

    Args:
        value: JSON as Python holds it, in the canonical form that the kinds return (numbers rounded, lists sorted).

    Returns:
        UTF-8 JSON without white space, keys sorted.

    Raises:
        NotCanonicalError: The value holds NaN, infinity, an integer of more than 64 bits, a lone surrogate, or
            something that is not JSON.
    """
    try:
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise NotCanonicalError(
            f"The value cannot be written as JSON ({error}); check it before it is hashed."
        ) from None
    # orjson writes NaN and infinity as null without a word; only bytes with a null can hide one.
    if b"null" in written and _hides_non_finite(value):
        raise NotCanonicalError(
            "The value holds NaN or infinity, which JSON cannot carry; check it before it is hashed."
        )
    return written


def content_hash(value: Any) -> str:
    """Name a JSON value by its content.

    Args:
        value: A value in canonical form, see ``canonical_json``.

    Returns:
        SHA-256 of the canonical bytes, 64 hexadecimal digits.

    Raises:
        NotCanonicalError: As for ``canonical_json``.
    """
    return sha256(canonical_json(value)).hexdigest()


def _hides_non_finite(value: Any) -> bool:
    pending = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, float):
            if current - current != 0.0:  # NaN and infinity alone differ from themselves here
                return True
        elif isinstance(current, dict):
            pending.extend(current.values())
        elif isinstance(current, list | tuple):
            pending.extend(current)
    return False
