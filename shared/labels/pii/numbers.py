"""Phone numbers, payment cards and bank accounts in a text."""

from collections.abc import Collection, Iterator
from typing import Final

import regex
from phonenumbers import Leniency, PhoneNumberMatcher
from stdnum import iban, luhn
from stdnum.iso7064 import mod_97_10

from shared.labels.pii.model import Effort

Span = tuple[int, int]

_GROUPED: Final = regex.compile(r"(?<![A-Za-z0-9_.,])\d(?:[ -]?\d){12,}(?![A-Za-z0-9_]|[.,]\d)")
_GROUP: Final = regex.compile(r"\d+")
_CARD_LENGTHS: Final = (13, 19)
_ISSUERS: Final = regex.compile(r"4|5|6|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|3[4-9]|30[0-59]")
"""Visa, Mastercard, Maestro, Discover, UnionPay, American Express, JCB, Diners."""
_STEADY: Final = regex.compile(r"(\d)\1*|0?123456789012345\d*")

_ACCOUNT: Final = regex.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_SHORTEST_IBAN, _LONGEST_IBAN = 15, 34

_PHONE_LIKE: Final = regex.compile(r"(?<![A-Za-z0-9_])[+(]{0,2}\d(?:[ ()./~x\u2010-\u2015-]{0,3}\d){6,}")
_AROUND: Final = 12
"""Characters beside a stretch that the matcher sees too: a digit or a currency next to it makes it no number of a phone."""


def cards(text: str, _: Collection[str], effort: Effort) -> Iterator[Span]:
    """Find numbers of payment cards: 13 to 19 digits, alone or in groups, of an issuer's range, that pass Luhn.

    Source: ISO/IEC 7812-1, annex B.
    """
    for stretch in _GROUPED.finditer(text):
        effort.spend(stretch.end() - stretch.start())
        groups = [found.span() for found in _GROUP.finditer(text, *stretch.span())]
        after = 0
        for position, (start, _end) in enumerate(groups):
            end = _card_end(text, groups[position:]) if start >= after else None
            if end is not None:
                after = end
                yield start, end


def _card_end(text: str, groups: list[Span]) -> int | None:
    digits = ""
    for start, end in groups:
        digits += text[start:end]
        if len(digits) > _CARD_LENGTHS[1]:
            return None
        if len(digits) >= _CARD_LENGTHS[0] and _is_card(digits):
            return end
    return None


def _is_card(digits: str) -> bool:
    return _ISSUERS.match(digits) is not None and _STEADY.fullmatch(digits) is None and bool(luhn.is_valid(digits))


def ibans(text: str, _: Collection[str], effort: Effort) -> Iterator[Span]:
    """Find bank accounts: of the length of their country, with a remainder of 1 by 97.

    Source: ISO 13616-1; the registry of SWIFT, as python-stdnum brings it.
    """
    for found in _ACCOUNT.finditer(text):
        effort.spend(20)
        compact, ends = "", []
        for offset, character in enumerate(found.group(), found.start()):
            if character.isalnum():
                compact += character.upper()
                ends.append(offset + 1)
        for length in range(min(len(compact), _LONGEST_IBAN), _SHORTEST_IBAN - 1, -1):
            if mod_97_10.is_valid(compact[4:length] + compact[:4]) and iban.is_valid(compact[:length]):
                yield found.start(), ends[length - 1]
                break


def phones(text: str, regions: Collection[str], effort: Effort) -> Iterator[Span]:
    """Find phone numbers: international ones, and those of the regions as they are dialled there."""
    for stretch in _PHONE_LIKE.finditer(text):
        effort.spend((stretch.end() - stretch.start()) * max(1, len(regions)))
        first = max(0, stretch.start() - _AROUND)
        seen = text[first : stretch.end() + _AROUND]
        after = 0
        for region in regions or (None,):
            for match in PhoneNumberMatcher(seen, region, leniency=Leniency.VALID):
                if first + match.start >= after:
                    after = first + match.end
                    yield first + match.start, after
