"""Finds personal data in a text by its form."""

import unicodedata
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Final

import regex

from shared.labels.pii.addresses import emails, ips
from shared.labels.pii.identities import national_ids
from shared.labels.pii.model import PII_KINDS, Effort, PiiKind
from shared.labels.pii.numbers import cards, ibans, phones

Span = tuple[int, int]

_DIGITS: Final = regex.compile(r"\p{Nd}.*?\p{Nd}.*?\p{Nd}", regex.DOTALL)
_FORMS: Final = regex.compile(r"[\p{Nd}\p{Zs}\p{Pd}\uFF01-\uFF5E]")

# In this order: what was found first is not found again as something else.
_FINDERS: Final[dict[PiiKind, Callable[[str, Collection[str], Effort], Iterator[Span]]]] = {
    "email": emails,
    "iban": ibans,
    "card": cards,
    "national-id": national_ids,
    "ip": ips,
    "phone": phones,
}


def find(
    text: str, effort: Effort, kinds: Collection[PiiKind] = PII_KINDS, regions: Collection[str] = ()
) -> list[tuple[PiiKind, int, int]]:
    """Find what looks like personal data.

    Args:
        text: Any text; its digits may be of any script.
        effort: Bounds the work.
        kinds: What is looked for.
        regions: ISO 3166-1 codes: whose national phone and identity numbers are looked for, beside those that are
            told without knowing the country.

    Returns:
        Kind, start and end in code points, in order; no two overlap.

    Raises:
        UndecidableError: There is too much to look at.
    """
    if "@" not in text and ":" not in text and _DIGITS.search(text) is None and "\uff20" not in text:
        return []  # most texts
    plain = text if text.isascii() else _FORMS.sub(_plain, text)
    found: list[tuple[PiiKind, int, int]] = []
    for kind, finder in _FINDERS.items():
        if kind in kinds:
            spans = [(kind, start, end) for start, end in finder(plain, regions, effort)]
            found += [each for each in spans if not any(start < each[2] and each[1] < end for _, start, end in found)]
    return sorted(found, key=lambda each: each[1])


def _plain(found: "regex.Match[str]") -> str:
    """Return the ASCII character that stands for the same digit, space, dash or full-width form; one for one."""
    return _plain_form(found.group())


@cache
def _plain_form(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category == "Zs":
        return " "
    return "-" if category == "Pd" else unicodedata.normalize("NFKC", character)
