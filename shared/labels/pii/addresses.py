"""E-mail and IP addresses in a text."""

from collections.abc import Collection, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network
from typing import Final

import regex

from shared.labels.pii.model import Effort

Span = tuple[int, int]

# Scripts that put spaces between words: in others nothing tells where a word ends and an address begins.
_SCRIPTS: Final = r"\p{Latin}\p{Greek}\p{Cyrillic}\p{Arabic}\p{Hebrew}\p{Devanagari}\p{M}"
_LOCAL: Final = regex.compile(rf"(?r)[{_SCRIPTS}0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}")
_DOMAIN: Final = regex.compile(rf"(?:[{_SCRIPTS}0-9-]{{1,63}}\.){{1,8}}(?:xn--[a-z0-9-]{{2,59}}|[{_SCRIPTS}]{{2,24}})")
_ENDS: Final = ".!#$%&'*/=?^`{|}~-"
"""What a local part neither begins nor ends with, whatever RFC 5322 allows: here they are a sentence's own."""

_IPV4: Final = regex.compile(r"(?<![A-Za-z0-9_.])(?:\d{1,3}\.){3}\d{1,3}(?![A-Za-z0-9_]|\.\d)")
_IPV6: Final = regex.compile(
    r"(?<![A-Za-z0-9_:.])[0-9A-Fa-f]{1,4}:[0-9A-Fa-f:]{1,40}(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![A-Za-z0-9_:])"
)
_BEFORE_A_VERSION: Final = regex.compile(
    r"(?:(?:§|\b(?:v|ver|version\w*|versión|versão|versione|верси\w*|wersj\w*|sürüm|build|rev|release|firmware|section))"
    r"[.:]?\s*|バージョン|版本)$",
    regex.IGNORECASE,
)
_LOOKED_BACK: Final = 16
_GLOBAL, _PRIVATE = IPv6Network("2000::/3"), IPv6Network("fc00::/7")


def emails(text: str, _: Collection[str], effort: Effort) -> Iterator[Span]:
    """Find e-mail addresses, international ones too (RFC 6531)."""
    at, end = text.find("@"), 0
    while at >= 0:
        effort.spend(1)
        local, domain = _LOCAL.match(text, max(end, at - 64), at), _DOMAIN.match(text, at + 1)
        if local is not None and domain is not None:
            name = local.group().lstrip(_ENDS)
            if name and name[-1] not in _ENDS and ".." not in name:
                end = domain.end()
                yield at - len(name), end
        at = text.find("@", at + 1)


def ips(text: str, _: Collection[str], effort: Effort) -> Iterator[Span]:
    """Find addresses of hosts; those that name no host (loopback, unspecified, broadcast) and versions are none."""
    for found in _IPV4.finditer(text):
        effort.spend(10)
        before = text[max(0, found.start() - _LOOKED_BACK) : found.start()]
        if _is_ipv4_host(found.group()) and _BEFORE_A_VERSION.search(before) is None:
            yield found.span()
    for found in _IPV6.finditer(text):
        effort.spend(10)
        shown = found.group().rstrip(":") if not found.group().endswith("::") else found.group()
        if _is_ipv6_host(shown):
            yield found.start(), found.start() + len(shown)


def _is_ipv4_host(shown: str) -> bool:
    try:
        address = IPv4Address(shown)
    except AddressValueError:
        return False
    return not (address.is_loopback or address.is_multicast or address.is_reserved) and int(address) >= 1 << 24


def _is_ipv6_host(shown: str) -> bool:
    try:
        address = IPv6Address(shown)
    except AddressValueError:
        return False
    return address in _GLOBAL or address in _PRIVATE
