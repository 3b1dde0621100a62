"""An image of a partition's samples as bytes: a run, and the ids of the samples that somebody works on.

First the length of a header in eight bytes, then the header as JSON, then the arrays one after the other.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import starmap
from typing import Any, Final

from services.task_assignment.domain.kept import Brief, Fresh, Scope
from services.task_assignment.domain.packed import PackedRun
from services.task_assignment.domain.ready import QueueName

FORMAT: Final = f"1-{sys.byteorder}-{array('I').itemsize}"
"""Whoever writes what others cannot read names it differently: other fields, or another machine's numbers."""
_LENGTH: Final = 8
_COLUMNS: Final = "QQIqq"
"""Types of the columns of a run, in the order of ``PackedRun``."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a board knew of a partition at a moment."""

    run: PackedRun
    listed: tuple[str, ...]
    """Document ids of the samples beside the run, which are read from the store."""


def to_bytes(image: Image) -> bytes:
    """Return an image as bytes."""
    run = image.run
    header = {
        "samples": len(run),
        "kinds": run.kinds,
        "queues": [[*name, len(order)] for name, order in run.queues.items()],
        "listed": image.listed,
    }
    head = json.dumps(header, separators=(",", ":")).encode()
    columns = (run.high, run.low, run.kind, run.created_ms, run.due_ms, *run.queues.values())
    return b"".join([len(head).to_bytes(_LENGTH, "big"), head, *map(array.tobytes, columns), bytes(run.superseded)])


def from_bytes(data: bytes) -> Image:
    """Return the image that ``to_bytes`` made these bytes of; they are whole, and of this ``FORMAT``."""
    length = int.from_bytes(data[:_LENGTH], "big")
    header: dict[str, Any] = json.loads(data[_LENGTH : _LENGTH + length])
    kinds = tuple(starmap(_kind_of_json, header["kinds"]))
    queues = {QueueName(*name): size for *name, size in header["queues"]}
    types = [*((type_, header["samples"]) for type_ in _COLUMNS), *(("I", size) for size in queues.values())]
    *arrays, superseded = _arrays(memoryview(data)[_LENGTH + length :], types)
    high, low, kind, created_ms, due_ms = arrays[: len(_COLUMNS)]
    orders = dict(zip(queues, arrays[len(_COLUMNS) :], strict=True))
    run = PackedRun(kinds, high, low, kind, created_ms, due_ms, orders, bytearray(superseded))
    return Image(run, tuple(header["listed"]))


def _arrays(data: memoryview, types: list[tuple[str, int]]) -> Iterator[Any]:
    """Yield an array of each type and size, and what is left."""
    at = 0
    for type_, size in types:
        column = array(type_)
        column.frombytes(data[at : at + size * column.itemsize])
        at += size * column.itemsize
        yield column
    yield data[at:]


def _kind_of_json(scope: list[Any], revision: int, counts: list[Any], fresh: list[Any] | None) -> Brief:
    counted = tuple((name, count) for name, count in counts)
    return Brief(Scope(*scope), revision, counted, None if fresh is None else _fresh_of_json(*fresh))


def _fresh_of_json(version: int, language: str | None, priority: int, stage: str, slots: list[str], due: int) -> Fresh:
    return Fresh(version, language, priority, stage, tuple(slots), due)
