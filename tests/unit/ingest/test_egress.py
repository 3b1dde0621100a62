"""Fetching by https: who may be asked, at which address, and how much. The servers are our own, on the loopback."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.references.egress import Egress, EgressPolicy, HostUnreachableError, is_public

FILE = b"GIF89a and so on"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for media.test and evil.test, with its key."""
    place = tmp_path_factory.mktemp("tls") / "both.pem"
    subject = ["-subj", "/CN=media.test", "-addext", "subjectAltName=DNS:media.test,DNS:evil.test"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", str(place), "-out", f"{place}.crt"], check=True, capture_output=True)
    place.write_text(place.read_text() + Path(f"{place}.crt").read_text())
    return place


class Server:
    """Answers each path as the test says, and counts who connected."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.answers: dict[str, bytes] = {}
        self.asked: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        answer = self.answers.get(head.split(b" ")[1].decode(), b"HTTP/1.1 404 Not Found\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if answer.endswith(b"..."):
            await asyncio.sleep(10)
        writer.close()


@asynccontextmanager
async def a_server(certificate: Path) -> AsyncIterator[Server]:
    server = Server()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()


def answered(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, b"connection: close", *headers, b"", body])


def an_egress(
    server: Server,
    certificate: Path,
    *,
    is_allowed: Callable[[str], bool] = lambda _address: True,
    addresses: dict[str, list[str]] | None = None,
    **policy: float,
) -> Egress:
    """Return one that may ask media.test, which is on the loopback as far as it knows."""
    known = {"media.test": ["127.0.0.1"], "evil.test": ["127.0.0.1"]} | (addresses or {})

    async def resolve(host: str, _port: int) -> list[str]:
        return known.get(host, [])

    tls = ssl.create_default_context(cafile=str(certificate) + ".crt")
    limits = {"max_bytes": 1000, "max_seconds": 5.0} | policy
    return Egress(
        EgressPolicy(frozenset({f"media.test:{server.port}"}), **limits),  # type: ignore[arg-type]
        resolve=resolve,
        is_allowed=is_allowed,
        tls=tls,
    )


async def refusal(egress: Egress, url: str, path: Path) -> str:
    with pytest.raises(MediaRejectedError) as refused:
        await egress.fetch(url, path)
    return refused.value.code


async def test_a_file_is_fetched_from_a_host_that_may_be_asked(certificate, tmp_path):
    async with a_server(certificate) as server:
        server.answers["/a.gif"] = answered(FILE)

        await an_egress(server, certificate).fetch(f"https://media.test:{server.port}/a.gif", tmp_path / "file")

    assert (tmp_path / "file").read_bytes() == FILE
    assert f"Host: media.test:{server.port}".lower().encode() in server.asked[0].lower()


@pytest.mark.parametrize(
    "url",
    [
        "http://media.test:{port}/a.gif",
        "file:///etc/passwd",
        "gopher://media.test:{port}/",
        "https://user:secret@media.test:{port}/a.gif",
        "https://media.test:{port}@evil.test/a.gif",
        "https://evil.test:{port}/a.gif",
        "https://media.test.evil.test:{port}/a.gif",
        "https://notmedia.test:{port}/a.gif",
        "https://127.0.0.1:{port}/a.gif",
        "https://[::1]:{port}/a.gif",
        "https://[::ffff:127.0.0.1]:{port}/a.gif",
        "https://2130706433:{port}/a.gif",
        "https://0x7f000001:{port}/a.gif",
        "https://media.test/a.gif",
        "https://media.test:99999/a.gif",
        "https://[bad/a.gif",
        "https:///a.gif",
    ],
)
async def test_nobody_else_is_even_connected_to(certificate, tmp_path, url):
    async with a_server(certificate) as server:
        server.answers["/a.gif"] = answered(FILE)

        code = await refusal(an_egress(server, certificate), url.format(port=server.port), tmp_path / "file")

    assert code in {"invalid-uri", "egress-refused"}
    assert server.connections == 0


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["169.254.169.254"], ["fd00::1"]])
async def test_a_name_at_an_address_that_is_not_public_is_refused_before_anybody_is_connected_to(
    certificate, tmp_path, addresses
):
    async with a_server(certificate) as server:
        egress = an_egress(server, certificate, is_allowed=is_public, addresses={"media.test": addresses})

        code = await refusal(egress, f"https://media.test:{server.port}/a.gif", tmp_path / "file")

    assert (code, server.connections) == ("egress-refused", 0)


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test:{port}/b.gif",
        "http://media.test:{port}/b.gif",
        "//evil.test:{port}/b.gif",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_leads_nowhere_else(certificate, tmp_path, location):
    async with a_server(certificate) as server:
        to = location.format(port=server.port).encode()
        server.answers |= {"/a.gif": answered(b"", b"location: " + to, status=b"302 Found"), "/b.gif": answered(FILE)}

        code = await refusal(
            an_egress(server, certificate), f"https://media.test:{server.port}/a.gif", tmp_path / "file"
        )

    assert code in {"invalid-uri", "egress-refused"}
    assert server.connections == 1


async def test_a_name_that_resolves_otherwise_after_a_redirect_is_checked_again(certificate, tmp_path):
    answers = iter([["127.0.0.1"], ["10.0.0.7"]])
    async with a_server(certificate) as server:
        server.answers["/a.gif"] = answered(b"", b"location: /b.gif", status=b"301 Moved")

        async def rebinding(_host: str, _port: int) -> list[str]:
            return next(answers)

        egress = Egress(
            EgressPolicy(frozenset({f"media.test:{server.port}"}), 1000, 5.0),
            resolve=rebinding,
            is_allowed=lambda address: address == "127.0.0.1",
            tls=ssl.create_default_context(cafile=str(certificate) + ".crt"),
        )
        code = await refusal(egress, f"https://media.test:{server.port}/a.gif", tmp_path / "file")

    assert (code, server.connections) == ("egress-refused", 1)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (answered(b"x" * 2000), "too-many-bytes"),
        (answered(b"", b"content-length: 2000"), "too-many-bytes"),
        (answered(b"", status=b"403 Forbidden"), "not-fetched"),
        (answered(b"", b"location: /a.gif", status=b"302 Found"), "too-many-redirects"),
        (answered(b"slowly...", b"content-length: 100"), "fetch-too-slow"),
    ],
)
async def test_what_is_too_large_too_slow_or_not_there_is_refused(certificate, tmp_path, answer, code):
    async with a_server(certificate) as server:
        server.answers["/a.gif"] = answer
        egress = an_egress(server, certificate, max_seconds=1.0 if code == "fetch-too-slow" else 30.0)

        assert await refusal(egress, f"https://media.test:{server.port}/a.gif", tmp_path / "file") == code


async def test_a_host_that_does_not_answer_or_has_a_wrong_certificate_is_unreachable(certificate, tmp_path):
    async with a_server(certificate) as server:
        server.answers["/busy"] = answered(b"", status=b"503 Busy")
        url = f"https://media.test:{server.port}"
        distrusting = Egress(
            EgressPolicy(frozenset({f"media.test:{server.port}"}), 1000, 5.0),
            resolve=lambda _host, _port: asyncio.sleep(0, ["127.0.0.1"]),
            is_allowed=lambda _address: True,
        )

        for egress, path in [(an_egress(server, certificate), "/busy"), (distrusting, "/a.gif")]:
            with pytest.raises(HostUnreachableError):
                await egress.fetch(url + path, tmp_path / "file")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        *(
            (address, False)
            for address in (
                "127.0.0.1",
                "0.0.0.0",  # noqa: S104 - nothing is bound to it
                "10.1.2.3",
                "172.16.0.1",
                "192.168.1.1",
                "169.254.169.254",
                "100.64.0.1",
                "224.0.0.1",
                "255.255.255.255",
                "::1",
                "::",
                "fe80::1%eth0",
                "fd00::1",
                "ff02::1",
                "::ffff:10.0.0.1",
                "64:ff9b::10.0.0.1",
                "2002:0a00:0001::1",
            )
        ),
    ],
)
def test_which_addresses_are_public(address, expected):
    assert is_public(address) is expected
