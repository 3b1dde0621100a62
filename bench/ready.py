"""The ready queue alone, in this process: what a pick costs, and a task in memory, by the number of open tasks."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from time import process_time
from typing import Any, Final

from bench.report import Figures, size_name
from services.task_assignment.domain.ages import bounded
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.ordered import OrderedTasks
from services.task_assignment.domain.packed import pack
from services.task_assignment.domain.picks import Pick
from services.task_assignment.domain.ready import Seeker, Serving
from shared.ids import sample_id_of, task_id_of

_TENANT: Final = "bench"
_PICKS: Final = 2_000
_WITHIN: Final = 100
"""Among how many of the next tasks one is picked at random."""
_STAGE: Final = "first_pass"
_KEY: Final = "first_pass-1"


async def measure(sizes: Sequence[int]) -> tuple[Figures, Figures]:
    """Measure each size.

    Args:
        sizes: Numbers of open tasks.

    Returns:
        The figures; and as a reference what a look at every task costs, which is what the queue saves.
    """
    figures: dict[str, float] = {}
    reference: dict[str, float] = {}
    for size in sizes:
        name = size_name(size)
        figures |= {f"{figure}_at_{name}": value for figure, value in _backlog(size).items()}
        of_begun, scan = _begun(size)
        figures |= {f"{figure}_at_{name}": value for figure, value in of_begun.items()}
        reference[f"scan_us_at_{name}"] = scan
    return figures, reference


def _backlog(size: int) -> dict[str, float]:
    """Load tasks that nobody has touched, and pick from them."""
    board = Board()
    board.own([0])
    gc.collect()
    gc.disable()
    tracemalloc.start()
    for documents in _parts(size):
        board.load(documents)
    del documents  # the last part is no part of the board
    board.swap(0, pack(board.shelf.snapshot(0)))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    load_seconds = _load_seconds(size)
    gc.enable()
    seeker = Seeker("ana", _TENANT, frozenset({_STAGE}), None, frozenset())

    at_random = seeker._replace(serving={"p": Serving(random_within=_WITHIN)})

    def pick(seeker: Seeker) -> None:
        picked = board.pick(seeker)
        if isinstance(picked, Pick):
            board.done_with(picked)

    return {
        "bytes_a_task": held / size,
        "load_us_a_task": load_seconds / size * 1e6,
        "pick_and_put_back_us": _microseconds(lambda: pick(seeker)),
        "pick_at_random_us": _microseconds(lambda: pick(at_random)),
        "depth_and_age_us": _microseconds(lambda: bounded(board.waiting())),
    }


def _load_seconds(size: int) -> float:
    """Return the CPU time in which a board takes in so many tasks, without that of making their documents."""
    board = Board()
    board.own([0])
    seconds = 0.0
    for documents in _parts(size):
        started = process_time()
        board.load(documents)
        seconds += process_time() - started
    return seconds


def _parts(size: int) -> Iterator[list[dict[str, Any]]]:
    for first in range(0, size, 1000):
        yield [_document(number) for number in range(first, min(first + 1000, size))]


def _begun(size: int) -> tuple[dict[str, float], float]:
    """Find the first partly filled task for somebody who has done none of them, and for one who has done all but one."""
    tasks = OrderedTasks()
    entries = [(number, f"{_TENANT}/{number:012}", _KEY) for number in range(size)]
    for number, entry in enumerate(entries):
        tasks.put(entry, ("eager", f"other-{number % 1000}") if number < size - 1 else ("other",))
    none = _microseconds(lambda: tasks.first("new", _accepts, 200))
    done = _microseconds(lambda: tasks.first("eager", _accepts, 200))
    barred = [("eager", f"other-{number % 1000}") for number in range(size)]

    def scan() -> None:
        next((entry for entry, of in zip(entries, barred, strict=True) if "eager" not in of), None)

    figures = {"first_us_none_done": none, "first_us_all_done": done, "worst_case_ratio": done / none}
    return figures, _microseconds(scan, 5)


def _accepts(_: object) -> bool:
    return True


def _microseconds(work: Callable[[], object], times: int = _PICKS) -> float:
    """Return the mean CPU time of ``work``, the best of three runs: neighbours only ever make it longer."""
    best = float("inf")
    for _ in range(3):
        started = process_time()
        for _ in range(times):
            work()
        best = min(best, process_time() - started)
    return best / times * 1e6


def _document(number: int) -> dict[str, Any]:
    sample_id = sample_id_of(_TENANT, "p", f"sample-{number}")
    slot = {"state": "free", "lease_id": None, "annotator_id": None, "expires_ms": 0}
    task = {
        "task_id": task_id_of(sample_id, _STAGE, 1),
        "stage": _STAGE,
        "slots": {str(each): slot for each in range(3)},
        "annotators": [],
        "skipped": [],
        "expired": 0,
        "open": True,
        "reason": "ingested",
    }
    state = {
        "sample_id": sample_id,
        "tenant_id": _TENANT,
        "project_id": "p",
        "project_version": 1,
        "external_id": f"sample-{number}",
        "partition": 0,
        "rejected": False,
        "finalized": 0,
        "priority": 0,
        "created_ms": 1_700_000_000_000 + number,
        "language": "en",
        "tasks": {_KEY: task},
        "contributors": [],
        "reviewers": [],
    }
    return {"_id": f"{_TENANT}/{sample_id}", "revision": 1, "state": state}
