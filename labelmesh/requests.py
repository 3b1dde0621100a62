"""Every call of the API as a value, so that the sync and the async client share all but the sending."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, Final
from urllib.parse import quote

import orjson

JsonObject = Mapping[str, Any]
Line = JsonObject | bytes | str
"""A line of NDJSON: an object, or its text."""

CHUNK: Final = 64 * 1024
SPOOLED_IN_MEMORY: Final = 8 * 1024 * 1024


class Stream:
    """A body of many lines that can be sent more than once.

    What can be iterated again (a list, a file by its path) is; what an iterator yields is kept while it is sent, in
    memory up to 8 MiB and on disk beyond.
    """

    def __init__(self, source: Path | Iterable[Line], watch: Callable[[int], None] | None = None) -> None:
        """Prepare a body.

        Args:
            source: The path of an NDJSON file, or lines.
            watch: Is told how many bytes of the body were handed over, each time there are more.
        """
        self._source = source
        self._watch = watch
        self._rest = ndjson(source) if isinstance(source, Iterator) else None
        self._spool = SpooledTemporaryFile(SPOOLED_IN_MEMORY) if self._rest is not None else None  # noqa: SIM115 - kept

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body from its beginning."""
        sent = 0
        for chunk in self._chunks():
            yield chunk
            sent += len(chunk)
            if self._watch is not None:
                self._watch(sent)

    def _chunks(self) -> Iterator[bytes]:
        if isinstance(self._source, Path):
            with self._source.open("rb") as file:
                yield from iter(lambda: file.read(CHUNK), b"")
        elif self._rest is None or self._spool is None:
            yield from ndjson(self._source)
        else:
            self._spool.seek(0)
            yield from iter(lambda: self._spool.read(CHUNK) if self._spool else b"", b"")
            for chunk in self._rest:
                self._spool.write(chunk)
                yield chunk


NDJSON = "application/x-ndjson"
TABLES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".parquet": "application/vnd.apache.parquet",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    method: str
    path: str
    body: bytes | Stream | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


def get(path: str, **query: object) -> Call:
    """Return a GET; parameters that are None are left out."""
    return Call("GET", path, query={name: str(value) for name, value in query.items() if value is not None})


def post(path: str, body: object = None, **headers: str) -> Call:
    """Return a POST with an Idempotency-Key, so that sending it again is harmless."""
    raw = body if isinstance(body, bytes | Stream) else orjson.dumps({} if body is None else body)
    sent = {"idempotency-key": uuid.uuid4().hex, "content-type": "application/json"}
    return Call("POST", path, raw, sent | {name.replace("_", "-"): value for name, value in headers.items()})


def put(path: str, body: object, **headers: str) -> Call:
    """Return a PUT."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Call("PUT", path, raw, {name.replace("_", "-"): value for name, value in headers.items()})


def delete(path: str) -> Call:
    """Return a DELETE."""
    return Call("DELETE", path)


def at(*parts: str) -> str:
    """Return ``/v1/`` and the parts, each quoted."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def publish_project(project: str, spec: str | bytes | JsonObject, if_match: int | None = None) -> Call:
    """Publish a spec, as YAML text or as an object."""
    return put(at("projects", project), spec_bytes(spec), **if_matches(if_match))


def check_project(project: str, spec: str | bytes | JsonObject) -> Call:
    """Check a spec and change nothing."""
    return post(at("projects", project, "check"), spec_bytes(spec), content_type="application/yaml")


def claim(count: int, project: str | None, stages: Sequence[str], languages: Sequence[str]) -> Call:
    """Claim tasks."""
    body = {"count": count, "project": project, "stages": list(stages), "languages": list(languages)}
    return post(at("tasks", "claim"), body)


def submit(
    task: str, token: str, fields: JsonObject, confidence: float | None, seconds_spent: float | None, wait: float | None
) -> Call:
    """Submit an answer; ``wait`` seconds for it to be stored."""
    headers = {"lease_token": token} | ({} if wait is None else {"prefer": f"wait={wait:.0f}"})
    body = {"fields": fields, "confidence": confidence, "seconds_spent": seconds_spent}
    return post(at("tasks", task, "annotations"), body, **headers)


def review(task: str, token: str, verdict: str, fields: JsonObject | None, issues: Sequence[JsonObject]) -> Call:
    """Submit a verdict."""
    body = {"verdict": verdict, "fields": fields, "issues": list(issues)}
    return post(at("tasks", task, "reviews"), body, lease_token=token)


def stream(path: str, source: Path | Iterable[Line], watch: Callable[[int], None] | None = None) -> Call:
    """Send lines, or a table by its file's ending; sent again under the same Idempotency-Key, it is the same job."""
    media_type = TABLES.get(source.suffix.lower(), NDJSON) if isinstance(source, Path) else NDJSON
    return post(path, Stream(source, watch), content_type=media_type)


def for_import(call: Call, due_at: datetime | None, *, replace_changed: bool) -> Call:
    """Return a call that imports, with what holds for all of its samples."""
    due = {} if due_at is None else {"due_at": due_at.isoformat()}
    return replace(call, query={"on_conflict": "replace" if replace_changed else "refuse"} | due)


def spec_bytes(spec: str | bytes | JsonObject) -> bytes:
    """Return a project spec as it goes over the wire."""
    if isinstance(spec, bytes):
        return spec
    return spec.encode() if isinstance(spec, str) else orjson.dumps(spec)


def if_matches(revision: int | None) -> dict[str, str]:
    """Return the header that lets a write go only over this revision."""
    return {} if revision is None else {"if_match": f'"{revision}"'}


def ndjson(lines: Iterable[Line]) -> Iterator[bytes]:
    """Yield lines as they go over the wire, in chunks of about 64 KiB."""
    chunk = bytearray()
    for line in lines:
        chunk += _line_bytes(line)
        chunk += b"\n"
        if len(chunk) >= CHUNK:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def _line_bytes(line: Line) -> bytes:
    """Return one line without its end; the lines of an open file still have theirs."""
    if isinstance(line, str):
        return line.rstrip("\r\n").encode()
    return line.rstrip(b"\r\n") if isinstance(line, bytes) else orjson.dumps(line)
