"""Finds personal data in a text by its form."""

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Final

import regex

from shared.labels.pii.addresses import emails, ips
from shared.labels.pii.identities import national_ids
from shared.labels.pii.model import PII_KINDS, Effort, PiiKind
from shared.labels.pii.numbers import cards, ibans, phones

Span = tuple[int, int]
Find = tuple[PiiKind, int, int]
"""Kind, start and end in code points."""

_DIGITS: Final = regex.compile(r"\p{Nd}.*?\p{Nd}.*?\p{Nd}", regex.DOTALL)
_INVISIBLE: Final = regex.compile(r"\p{Default_Ignorable_Code_Point}")
"""What shows nothing of itself: joiners, soft hyphens, marks of direction (Unicode's DerivedCoreProperties)."""
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
) -> list[Find]:
    """Find what looks like personal data, with invisible characters in it, too.

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
    if text.isascii() or _INVISIBLE.search(text) is None:
        return _find(text, effort, kinds, regions)
    found = _find_through(text, effort, kinds, regions)
    beside = _find(text, effort, kinds, regions)  # what invisible characters set apart from its neighbours
    return sorted([*found, *_without_those_in(found, beside)], key=_start)


def _find_through(text: str, effort: Effort, kinds: Collection[PiiKind], regions: Collection[str]) -> list[Find]:
    """Find what is there when invisible characters are left out; where it stands in the text with them."""
    left_out = [found.start() - count for count, found in enumerate(_INVISIBLE.finditer(text))]

    def at(position: int) -> int:
        return position + bisect_right(left_out, position)

    shown = _INVISIBLE.sub("", text)
    return [(kind, at(start), at(end - 1) + 1) for kind, start, end in _find(shown, effort, kinds, regions)]


def _find(text: str, effort: Effort, kinds: Collection[PiiKind], regions: Collection[str]) -> list[Find]:
    plain = text if text.isascii() else _FORMS.sub(_plain, text)
    found: list[Find] = []
    for kind, finder in _FINDERS.items():
        if kind in kinds:
            spans = [(kind, start, end) for start, end in finder(plain, regions, effort)]
            found += _without_those_in(found, spans)
    return sorted(found, key=_start)


def _without_those_in(known: Collection[Find], found: Collection[Find]) -> list[Find]:
    """Return the finds that overlap none of those that are known."""
    return [each for each in found if not any(start < each[2] and each[1] < end for _, start, end in known)]


def _start(found: Find) -> int:
    return found[1]


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
