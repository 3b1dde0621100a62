"""A reduced loop of twenty samples, sent and labeled by threads while a test does harm to the stack."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelmesh import ApiError, Labelmesh, api
from tests.e2e.gateway import MEDIA, PICTURE, Gateway, a_spec, until

SAMPLES = 20
CORRUPT = {7, 14}
"""Samples whose picture is none."""
WITH_PICTURE = {3, 11, *CORRUPT}
OVERLAP = 2
ANNOTATORS = 3
PATIENCE = 150.0
"""Seconds until a loop has to have recovered from whatever was done to it, on a busy machine."""

SPEC = a_spec(
    title="A reduced loop",
    assets={"chat": {"modality": "text"}, "photo": {"modality": "image", "required": False}},
    fields={
        "intent": {"kind": "choice", "asset": "chat", "required": True, "options": ["ask", "tell"]},
        "animals": {"kind": "regions", "asset": "photo", "shapes": ["box"], "labels": ["gecko"]},
    },
    quality={"overlap": OVERLAP, "max_overlap": 3, "quorum": 0.6},
    workflow={"lease_seconds": 10},
)
BOX = {"id": "b1", "shape": "box", "label": "gecko", "x": 10, "y": 10, "width": 50, "height": 40}


@dataclass(frozen=True)
class Outcome:
    """What came of a loop: the same whatever was done to it meanwhile."""

    samples: dict[str, int]
    """How many are in which state."""
    tasks: dict[str, dict[str, int]]
    """By stage, open and done."""
    labels: dict[str, Any]
    """The label of record of each sample, by the number of the sample."""
    answers: dict[str, int]
    """How many annotations count, by the number of the sample."""


@dataclass
class Loop:
    """One run of the reduced loop: what was sent, and what was accepted."""

    gateway: Gateway
    project: str = ""
    sent: dict[int, str] = field(default_factory=dict)
    """Sample ids by the number of the sample."""
    accepted: list[tuple[str, str]] = field(default_factory=list)
    """(annotation id, annotator) of every submission that was answered with 202."""
    failures: list[BaseException] = field(default_factory=list)
    _allowed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def workforce(self) -> Iterator[None]:
        """Label in threads while the block runs; samples are sent as ``send`` allows, too."""
        self.project = self.gateway.publish(SPEC)
        threads = [threading.Thread(target=self._guarded(self._send_allowed))]
        for number in range(ANNOTATORS):
            key = self.gateway.key_of(f"annotator-{number}", projects=(self.project,))
            threads.append(threading.Thread(target=self._guarded(self._label, key, f"annotator-{number}")))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            self._allowed.release(SAMPLES)
            for thread in threads:
                thread.join(90)

    def send(self, count: int = SAMPLES) -> None:
        """Let the next samples be sent, and return when the first of them is on its way."""
        before = len(self.sent)
        self.send_without_waiting(count)
        until(lambda: len(self.sent) > before or bool(self.failures), "a sample that was sent", seconds=PATIENCE)

    def send_without_waiting(self, count: int) -> None:
        """Let the next samples be sent, whenever that is possible."""
        self._allowed.release(count)

    def outcome(self) -> Outcome:
        """Return what came of the loop, once no sample is open or waits.

        Raises:
            AssertionError: Some still do when patience ends.
        """
        with self.gateway.client() as owner:
            progress = until(lambda: self._settled(owner), "settled samples", seconds=PATIENCE)
            rejected = {number for number, id_ in self.sent.items() if owner.sample(id_)["state"] == "rejected"}
            final = {number: id_ for number, id_ in self.sent.items() if number not in rejected}
            labels = {number: until(lambda id_=id_: _label(owner, id_), "a label") for number, id_ in final.items()}
            given = {number: owner.annotations(id_)["items"] for number, id_ in final.items()}
        return Outcome(
            samples=progress.samples,
            tasks=progress.tasks,
            labels={str(number): each["fields"]["intent"] for number, each in sorted(labels.items())},
            answers={
                str(number): sum(one["surplus"] is None for one in each) for number, each in sorted(given.items())
            },
        )

    def _settled(self, owner: Labelmesh) -> Any:
        """Return the progress when every sample has arrived and none is open."""
        assert not self.failures, self.failures
        progress = owner.ask(api.progress(self.project))
        settled = progress.samples.get("final", 0) + progress.samples.get("rejected", 0)
        return progress if settled == SAMPLES else None

    def _send_allowed(self) -> None:
        with self.gateway.client() as owner:
            for number in range(SAMPLES):
                self._allowed.acquire()
                if self._over.is_set():
                    return
                sample: dict[str, Any] = {"external_id": f"s{number}", "assets": {"chat": {"text": f"Is it {number}?"}}}
                if number in WITH_PICTURE:
                    file = _no_picture() if number in CORRUPT else PICTURE
                    sample["assets"]["photo"] = {"upload": owner.upload_file(self.project, file).upload_id}
                self.sent[number] = owner.ask(api.submit_sample(self.project, sample))["sample_id"]

    def _label(self, key: str, name: str) -> None:
        with self.gateway.client(key) as annotator:
            while not self._over.is_set():
                claim = annotator.ask(api.claim(count=2, project=self.project))
                for task in claim.tasks:
                    fields = {"intent": "ask"} | ({"animals": [BOX]} if "photo" in task.assets else {})
                    try:
                        answer = annotator.ask(api.submit(task, fields))
                    except ApiError as error:
                        if error.type not in {"lease-expired", "lease-lost"}:
                            raise
                    else:
                        self.accepted.append((answer["annotation_id"], name))
                if not claim.tasks:
                    time.sleep(0.2)

    def _guarded(self, work: Callable[..., None], *arguments: str) -> Callable[[], None]:
        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                self.failures.append(error)

        return run


def assert_nothing_accepted_is_missing(loop: Loop) -> None:
    """Check that every submission answered with 202 is stored and counts, and that nobody answered a sample twice."""
    by_sample: dict[str, list[str]] = defaultdict(list)
    with loop.gateway.client() as owner:
        for annotation_id, annotator in set(loop.accepted):
            stored = until(lambda id_=annotation_id: _annotation(owner, id_), f"annotation {annotation_id}")
            assert (stored["annotator_id"], stored["surplus"]) == (annotator, None)
            by_sample[stored["sample_id"]].append(annotator)
    for sample_id, annotators in by_sample.items():
        assert max(Counter(annotators).values()) == 1, f"sample {sample_id}: {annotators}"
        assert len(annotators) == OVERLAP, f"sample {sample_id}: {annotators}"


def _no_picture() -> Path:
    return MEDIA.parent / "README.md"


def _label(owner: Labelmesh, sample_id: str) -> Any:
    return _unless_missing(owner, api.label(sample_id))


def _annotation(owner: Labelmesh, annotation_id: str) -> Any:
    return _unless_missing(owner, api.annotation(annotation_id))


def _unless_missing(owner: Labelmesh, ask: api.Ask[Any]) -> Any:
    try:
        return owner.ask(ask)
    except ApiError as error:
        if error.status != 404:
            raise
        return None
