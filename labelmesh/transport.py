"""How a call becomes a request, and a response an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx2
import orjson

from labelmesh.errors import error_of
from labelmesh.requests import Call, Stream

TIMEOUT: Final = httpx2.Timeout(60, connect=5)
FILE_CHUNK: Final = 1 << 20


class Transfer(NamedTuple):
    """A file on its way to or from the object store, by a signed address; it carries no key of ours."""

    method: str
    url: str
    file: Path
    start: int = 0
    """What is sent begins at this byte of the file."""
    size: int | None = None
    """Bytes to send; all that follow when None."""

    @property
    def host(self) -> str:
        """The object store's address."""
        url = httpx2.URL(self.url)
        return f"{url.scheme}://{url.netloc.decode()}"

    @property
    def part(self) -> Path:
        """Where a download is until it is complete."""
        return self.file.with_name(f"{self.file.name}.part")


def request_of(client: httpx2.Client | httpx2.AsyncClient, call: Call) -> httpx2.Request:
    """Return the request of a call, for this client."""
    body: Any = call.body
    if isinstance(body, Stream) and isinstance(client, httpx2.AsyncClient):
        body = _async(iter(body))
    return client.build_request(
        call.method, call.path, content=body, headers=dict(call.headers), params=dict(call.query) or None
    )


def transfer_request(client: httpx2.Client | httpx2.AsyncClient, transfer: Transfer) -> httpx2.Request:
    """Return the request of a transfer: the object store wants to know the length, and compresses nothing."""
    if transfer.method == "GET":
        return client.build_request("GET", transfer.url, headers={"accept-encoding": "identity"})
    size = transfer.file.stat().st_size - transfer.start if transfer.size is None else transfer.size
    chunks = _file_chunks(transfer.file, transfer.start, size)
    body: Any = _async(chunks) if isinstance(client, httpx2.AsyncClient) else chunks
    length = {"content-length": str(size)}
    return client.build_request(transfer.method, transfer.url, content=body, headers=length)


def answer_of(response: httpx2.Response) -> Any:
    """Return the decoded body.

    Raises:
        ApiError: The gateway refused.
    """
    if response.status_code >= 400:
        raise error_of(response.status_code, _problem(response))
    if not response.content:
        return None
    if "json" not in response.headers.get("content-type", ""):
        return response.content
    if "ndjson" in response.headers["content-type"]:
        return [orjson.loads(line) for line in response.content.splitlines() if line]
    return orjson.loads(response.content)


def _problem(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {"title": response.reason_phrase, "detail": response.text[:500]}
    return found if isinstance(found, dict) else {"detail": str(found)[:500]}


def _file_chunks(path: Path, start: int, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        while size > 0 and (chunk := file.read(min(FILE_CHUNK, size))):
            size -= len(chunk)
            yield chunk


async def _async(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
