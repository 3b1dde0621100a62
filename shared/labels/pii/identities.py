"""Numbers that states give to people, where a checksum tells them."""

from collections.abc import Collection, Iterator
from functools import cache
from importlib import import_module
from typing import Any, Final, NamedTuple

import regex

from shared.labels.pii.model import Effort

Span = tuple[int, int]


class _Scheme(NamedTuple):
    """One kind of number.

    Attributes:
        region: ISO 3166-1.
        module: Of python-stdnum, which checks it.
        form: How it is written.
        is_plain: It is a row of digits like any other, so that it is looked for only where its region is named.
    """

    region: str
    module: str
    form: str
    is_plain: bool = True


_SCHEMES: Final = (
    _Scheme("IT", "it.codicefiscale", r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]", is_plain=False),
    _Scheme("MX", "mx.curp", r"[A-Z]{4}\d{6}[A-Z]{6}[A-Z0-9]\d", is_plain=False),
    _Scheme("FI", "fi.hetu", r"\d{6}[-+A]\d{3}[0-9A-Y]", is_plain=False),
    _Scheme("FR", "fr.nir", r"[12] ?\d{2} ?\d{2} ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}", is_plain=False),
    _Scheme("CN", "cn.ric", r"\d{6}(?:19|20)\d{9}[\dX]", is_plain=False),
    _Scheme("CH", "ch.ssn", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", is_plain=False),
    _Scheme("BR", "br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}", is_plain=False),
    _Scheme("BE", "be.nn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", is_plain=False),
    _Scheme("AT", "at.vnr", r"\d{4} ?\d{6}"),
    _Scheme("BE", "be.nn", r"\d{11}"),
    _Scheme("BG", "bg.egn", r"\d{10}"),
    _Scheme("BR", "br.cpf", r"\d{11}"),
    _Scheme("CA", "ca.sin", r"\d{3}[ -]?\d{3}[ -]?\d{3}"),
    _Scheme("CZ", "cz.rc", r"\d{6}/?\d{3,4}"),
    _Scheme("DE", "de.idnr", r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),
    _Scheme("EE", "ee.ik", r"[1-6]\d{10}"),
    _Scheme("ES", "es.dni", r"\d{8}[ -]?[A-Z]"),
    _Scheme("ES", "es.nie", r"[XYZ][ -]?\d{7}[ -]?[A-Z]"),
    _Scheme("GB", "gb.nhs", r"\d{3}[ -]?\d{3}[ -]?\d{4}"),
    _Scheme("GR", "gr.amka", r"\d{11}"),
    _Scheme("HR", "hr.oib", r"\d{11}"),
    _Scheme("IE", "ie.pps", r"\d{7}[A-Z]{1,2}"),
    _Scheme("IL", "il.idnr", r"\d{8}-?\d"),
    _Scheme("IN", "in_.aadhaar", r"[2-9]\d{3}[ -]?\d{4}[ -]?\d{4}"),
    _Scheme("KR", "kr.rrn", r"\d{6}-?\d{7}"),
    _Scheme("LT", "lt.asmens", r"[3-6]\d{10}"),
    _Scheme("NL", "nl.bsn", r"\d{9}"),
    _Scheme("NO", "no.fodselsnummer", r"\d{6} ?\d{5}"),
    _Scheme("PL", "pl.pesel", r"\d{11}"),
    _Scheme("RO", "ro.cnp", r"[1-9]\d{12}"),
    _Scheme("SE", "se.personnummer", r"(?:19|20)?\d{6}[-+]?\d{4}"),
    _Scheme("SK", "sk.rc", r"\d{6}/?\d{3,4}"),
    _Scheme("TR", "tr.tckimlik", r"[1-9]\d{10}"),
    _Scheme("ZA", "za.idnr", r"\d{13}"),
)

IDENTITY_REGIONS: Final = frozenset(scheme.region for scheme in _SCHEMES)


def national_ids(text: str, regions: Collection[str], effort: Effort) -> Iterator[Span]:
    """Find identity, tax and social security numbers whose checksum is right.

    Those that stand out are found whatever the region; those that are digits alone only where their region is named.
    """
    after = 0
    for found in _pattern(frozenset(regions)).finditer(text):
        effort.spend(found.end() - found.start() + 5)
        start, end = found.span()
        if start >= after and any(_is_valid(scheme, found.group()) for scheme in _applying(frozenset(regions))):
            after = end
            yield start, end


def _is_valid(scheme: _Scheme, number: str) -> bool:
    return _form(scheme).fullmatch(number) is not None and bool(_module(scheme.module).is_valid(number))


@cache
def _applying(regions: frozenset[str]) -> tuple[_Scheme, ...]:
    return tuple(scheme for scheme in _SCHEMES if not scheme.is_plain or scheme.region in regions)


@cache
def _pattern(regions: frozenset[str]) -> Any:
    """Return what a number of any of them may look like; the longest first, for the first that fits is taken."""
    forms = sorted((scheme.form for scheme in _applying(regions)), key=len, reverse=True)
    return regex.compile(rf"(?<![A-Za-z0-9_.,])(?:{'|'.join(forms)})(?![A-Za-z0-9_]|[.,]\d)", regex.IGNORECASE)


@cache
def _form(scheme: _Scheme) -> Any:
    return regex.compile(scheme.form, regex.IGNORECASE)


@cache
def _module(name: str) -> Any:
    return import_module(f"stdnum.{name}")
