"""What is told of a text beside its characters: how it was written, and how many characters people see."""

import unicodedata
from typing import Literal

from shared.labels.facts import AssetDetails
from shared.labels.graphemes import count_graphemes

_FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")


def text_details(given: str, kept: str, *, encoding: str = "utf-8", most: int | None = None) -> AssetDetails:
    """Describe a text.

    Args:
        given: As it came.
        kept: As it is kept, in NFC.
        encoding: Of the bytes it came in.
        most: As for :func:`count_graphemes`.
    """
    return AssetDetails(
        encoding=encoding,
        normal_form=next((form for form in _FORMS if unicodedata.is_normalized(form, given)), None),
        graphemes=count_graphemes(kept, most),
    )
