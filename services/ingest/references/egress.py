"""Fetching from elsewhere without being led astray: whom we ask, at which address, how much and how long.

A client names an address, and we ask it from within our network. So a host must be on the list of those that may be
asked, and must not resolve to an address that is not public: not at first, and not after a redirect. The connection is
made to the very address that was checked, for a name may resolve to another one a moment later.

Source: OWASP, Server-Side Request Forgery Prevention Cheat Sheet; RFC 6890 (special-purpose addresses).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpcore2

from services.ingest.domain.rejection import MediaRejectedError

MAX_REDIRECTS: Final = 5
HTTPS_PORT: Final = 443
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_NAT64: Final = ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], "asyncio.Future[Sequence[str]] | Any"]
"""``await resolve(host, port)`` gives the addresses of a host."""


class HostUnreachableError(Exception):
    """The host did not answer, or not as it should; it may do so later."""


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What may be asked for."""

    hosts: frozenset[str]
    """``host``, ``.suffix`` for all hosts below it, each with ``:port`` where it is not 443."""
    max_bytes: int
    max_seconds: float

    def require_allowed(self, url: str) -> tuple[str, int]:
        """Return host and port of an address that may be asked.

        Raises:
            MediaRejectedError: ``invalid-uri`` or ``egress-refused``.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port or HTTPS_PORT
        except ValueError as error:
            raise MediaRejectedError("invalid-uri", f"The address cannot be read: {error}.") from error
        if parts.scheme != "https" or not host or parts.username is not None or parts.password is not None:
            raise MediaRejectedError("invalid-uri", "The address must begin with https:// and hold no credentials.")
        names = {host, *(host[at:] for at, letter in enumerate(host) if letter == ".")}
        wanted = names if port == HTTPS_PORT else {f"{name}:{port}" for name in names}
        if not wanted & self.hosts:
            raise MediaRejectedError(
                "egress-refused",
                f"Files are not fetched from {host} (port {port}); ask the operator to allow it, or upload the file.",
            )
        return host, port


def is_public(address: str) -> bool:
    """Return whether an address is one of the public internet, with whatever address is wrapped in it."""
    found = ip_address(address.partition("%")[0])
    wrapped: list[IPv4Address | IPv6Address | None] = []
    if isinstance(found, IPv6Address):
        teredo = found.teredo or (None, None)
        nat64 = IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else None
        wrapped = [found.ipv4_mapped, found.sixtofour, *teredo, nat64]
        if found.ipv4_mapped is not None:
            return _is_public(found.ipv4_mapped)
    return _is_public(found) and all(_is_public(each) for each in wrapped if each is not None)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


async def resolve_name(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host as the system knows them."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port)
    return [str(each[4][0]) for each in found]


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were checked, and to no other."""

    def __init__(self, resolve: Resolve, is_allowed: Callable[[str], bool]) -> None:
        self._inner = httpcore2.AnyIOBackend()
        self._resolve = resolve
        self._is_allowed = is_allowed

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise HostUnreachableError(f"{host} has no address") from error
        if not addresses or not all(self._is_allowed(address) for address in addresses):
            raise MediaRejectedError(
                "egress-refused", f"{host} is at an address that is not public; upload the file instead."
            )
        return await self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class Egress:
    """Fetches files by https."""

    def __init__(
        self,
        policy: EgressPolicy,
        *,
        resolve: Resolve = resolve_name,
        is_allowed: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make one.

        Args:
            policy: What may be asked for.
            resolve: Gives the addresses of a host.
            is_allowed: Whether an address may be connected to.
            tls: Whose certificates are trusted; the system's by default.
        """
        self._policy = policy
        self._tls = tls or ssl.create_default_context()
        self._backend = _CheckedBackend(resolve, is_allowed)

    async def fetch(self, url: str, path: Path, max_bytes: int | None = None) -> None:
        """Write the file at ``url`` to ``path``.

        Raises:
            MediaRejectedError: It may not be asked for, is too large or too slow, or is not there.
            HostUnreachableError: The host does not answer at the moment.
        """
        limit = min(self._policy.max_bytes, max_bytes or self._policy.max_bytes)
        try:
            async with asyncio.timeout(self._policy.max_seconds):
                await self._follow(url, path, limit)
        except TimeoutError as error:
            seconds = f"{self._policy.max_seconds:g}"
            raise MediaRejectedError("fetch-too-slow", f"The file did not come within {seconds} s.") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            raise HostUnreachableError(f"{urlsplit(url).hostname} does not answer: {error!r}") from error

    async def _follow(self, url: str, path: Path, limit: int) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            self._policy.require_allowed(url)
            pool = httpcore2.AsyncConnectionPool(ssl_context=self._tls, network_backend=self._backend, retries=0)
            async with (
                pool,
                pool.stream("GET", url, headers=[("accept-encoding", "identity")]) as response,
            ):
                if response.status not in REDIRECTS:
                    await _write(response, path, limit)
                    return
                location = dict(response.headers).get(b"location", b"").decode("ascii", "replace")
            url = urljoin(url, location)
        raise MediaRejectedError("too-many-redirects", f"The address leads on more than {MAX_REDIRECTS} times.")


async def _write(response: httpcore2.Response, path: Path, limit: int) -> None:
    if response.status >= 500 or response.status == 429:
        raise HostUnreachableError(f"the host answers {response.status}")
    if response.status != 200:
        raise MediaRejectedError("not-fetched", f"The host answers {response.status}; check the address.")
    declared = dict(response.headers).get(b"content-length", b"0")
    read = int(declared) if declared.isdigit() else 0
    with path.open("wb") as file:
        _require_fits(read, limit)
        read = 0
        async for chunk in response.aiter_stream():
            read += len(chunk)
            _require_fits(read, limit)
            file.write(chunk)


def _require_fits(size: int, limit: int) -> None:
    if size > limit:
        raise MediaRejectedError("too-many-bytes", f"The file is larger than {limit} bytes, the most that is fetched.")
