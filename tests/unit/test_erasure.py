"""A sample that was erased stays so: whatever comes of it later, or again, in whatever order, and wherever a service dies.

Each service is driven through its own routes. What it keeps, and what it has yet to tell of the sample, must not hold
a word of the content any more. What lies beside its folds is removed by queries, which are tested on a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import bson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.annotation_store.domain.annotation import Annotation, Review
from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.domain.surplus import Surplus
from services.annotation_store.handlers import Barriers
from services.annotation_store.handlers import create_routes as annotation_store_routes
from services.annotation_store.vocabulary import CatalogVocabulary
from services.feedback.domain.finding import Finding
from services.feedback.domain.model_tally import FindingPolicy, ModelTally
from services.feedback.domain.predicted_sample import PredictedSample
from services.feedback.domain.predicted_sample import after_erasure as after_erasure_of_predictions
from services.feedback.handlers import create_routes as feedback_routes
from services.ingest.domain.erasing import Erasure, after_erasure
from services.ingest.domain.sample import Sample
from services.ingest.domain.upload import Upload
from services.ingest.handlers import create_erasure_routes
from services.ingest.handlers import create_routes as ingest_routes
from services.qa.domain.annotator import AssessedAnnotator
from services.qa.domain.consistency import ConsistencyCount
from services.qa.domain.sample import JudgedSample
from services.qa.handlers import create_routes as qa_routes
from services.qa.handlers import create_tally_routes as qa_tally_routes
from services.qa.skills import Skills
from services.task_assignment.domain.tasks import SampleTasks
from services.task_assignment.door_caps import DoorCaps
from services.task_assignment.handlers import create_sample_routes
from services.versioning.domain.dataset import Dataset, DatasetJob, Tag
from services.versioning.domain.export import Export
from services.versioning.domain.label_row import LabelRow
from services.versioning.domain.project import Project
from services.versioning.domain.taxonomy import KeptTaxonomy
from services.versioning.erasing import HeldSamples
from services.versioning.handlers import create_routes as versioning_routes
from shared.catalog import Catalog
from shared.erasure import Erased, Eraser
from shared.events import Event
from shared.events.erasure import ERASING, ErasingService, SampleErased, SampleForgotten
from shared.jobs import JobPart
from shared.ledger import Ledger
from shared.media import Media
from shared.routes import Reaction, Route
from tests.builders import (
    TENANT,
    a_catalog,
    a_finding_sample_awaited,
    a_label_finalized,
    a_label_recorded,
    a_prediction_submitted,
    a_qa_work_requested,
    a_review_counted,
    a_review_stored,
    a_review_submitted,
    a_sample_described,
    a_sample_erased,
    a_sample_ingested,
    a_sample_rejected,
    a_sample_submitted,
    a_task_completed,
    a_task_priority_changed,
    an_annotation_counted,
    an_annotation_stored,
    an_annotation_submitted,
    an_annotation_surplus,
    text_facts,
)
from tests.fakes import CrashError, FakeClock, FaultyStore, Fuse, MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver

MARK = "the-words-of-somebody"
SAID: dict[str, Any] = {"intent": "refund", "entities": [{"id": MARK, "label": "city", "start": 0, "end": 4}]}
Routes = Sequence[Route | Reaction]


class World:
    """One service over fakes, every write of which may be the last before it dies."""

    def __init__(self, service: ErasingService, catalog: Catalog, fuse: Fuse) -> None:
        self.kept: dict[str, MemoryLedgerStore] = {}
        self.announced = RecordingPublisher(fuse)
        self.catalog = catalog
        self._fuse = fuse
        self._service = service
        self.erasures = MemoryErasures()
        eraser = Eraser(service, self.erasures, self.announced, FakeClock(), remove=self._note)
        self.removed: list[Erased] = []
        self.receiver = Receiver([*ROUTES[service](self), eraser.reaction()])

    def ledger(self, name: str, state: type[Any], **more: Any) -> Ledger[Any]:
        self.kept[name] = MemoryLedgerStore()
        return Ledger(FaultyStore(self.kept[name], self._fuse), self.announced, state, **more)

    @property
    def traces(self) -> list[str]:
        """Where a word of the sample is left, in documents that its id names."""
        return [
            f"{name} {id_}"
            for name, store in self.kept.items()
            for id_, document in [*store.documents.items(), *((key, {"": text}) for key, text in store.apart.items())]
            if MARK.encode() in bson.encode(cast(Mapping[str, Any], document))
        ]

    async def _note(self, erased: Erased) -> None:
        self.removed.append(erased)


class MemoryErasures:
    async def note(self, _erased: Erased, _at_ms: int) -> None:
        """Nothing is removed again here."""

    async def since(self, _ms: int) -> Sequence[Erased]:
        return []


def _ingest(world: World) -> Routes:
    samples = world.ledger("samples", Sample, after_erasure=after_erasure)
    uploads, jobs = world.ledger("uploads", Upload), world.ledger("jobs", JobPart)
    erasures = world.ledger("erasures", Erasure)
    return [
        *create_erasure_routes(samples, erasures),
        *ingest_routes(samples, uploads, jobs, world.catalog, cast(Media, None)),
    ]


def _task_assignment(world: World) -> Routes:
    return create_sample_routes(world.ledger("samples", SampleTasks), world.catalog, 12, cast(DoorCaps, _NoCaps()))


class _NoCaps:
    async def look(self, offers: Sequence[Event]) -> Sequence[Event]:
        return offers


class _NoScan:
    async def read_fields(self, events: Sequence[Event]) -> Sequence[Event]:
        return events


class _NoDrafts:
    async def forget(self, submitted: Mapping[str, Any]) -> None:
        """There are none."""


class _NoCuts:
    async def due(self, _partitions: Sequence[int]) -> list[Any]:
        return []


def _annotation_store(world: World) -> Routes:
    ledgers = [
        world.ledger(name, state)
        for name, state in {
            "annotations": Annotation,
            "reviews": Review,
            "labels": SampleLabel,
            "surplus": Surplus,
        }.items()
    ]
    return annotation_store_routes(
        *ledgers,
        cast(Any, _NoDrafts()),
        Barriers(cast(Any, _NoCuts()), world.announced),
        CatalogVocabulary(world.catalog),
        cast(Any, _NoScan()),
    )


def _qa(world: World) -> Routes:
    async def nobody(_ids: Sequence[str]) -> Mapping[str, AssessedAnnotator]:
        return {}

    samples = world.ledger("samples", JudgedSample)
    tallies = qa_tally_routes(
        world.ledger("annotators", AssessedAnnotator), world.ledger("consistency", ConsistencyCount)
    )
    return [*qa_routes(samples, world.catalog, Skills(nobody, timedelta(seconds=30))), *tallies]


class _NothingBound:
    async def find(self, events: Sequence[Event]) -> Sequence[Event]:
        return events


class _NoDatasets:
    async def datasets(self, *_about: Any) -> list[Dataset]:
        return []

    async def bodies(self, _ids: Sequence[str]) -> dict[str, Any]:
        return {}


def _versioning(world: World) -> Routes:
    states = {
        "projects": Project,
        "taxonomies": KeptTaxonomy,
        "rows": LabelRow,
        "jobs": DatasetJob,
        "datasets": Dataset,
        "tags": Tag,
        "exports": Export,
    }
    ledgers: dict[str, Any] = {name: world.ledger(name, state) for name, state in states.items()}
    held = HeldSamples(cast(Any, _NoDatasets()), ledgers["rows"])
    return versioning_routes(**ledgers, partitions=1, held=held, bound=cast(Any, _NothingBound()))


def _feedback(world: World) -> Routes:
    return feedback_routes(
        predictions=world.ledger("predictions", PredictedSample, after_erasure=after_erasure_of_predictions),
        models=world.ledger("models", ModelTally),
        findings=world.ledger("findings", Finding),
        jobs=world.ledger("jobs", JobPart),
        catalog=world.catalog,
        policy=FindingPolicy(min_judged=5, error_rate=0.5, slice_errors=5, finding_samples=5),
        priority=1,
    )


ROUTES: Mapping[ErasingService, Callable[[World], Routes]] = {
    "ingest": _ingest,
    "task_assignment": _task_assignment,
    "annotation_store": _annotation_store,
    "qa": _qa,
    "versioning": _versioning,
    "feedback": _feedback,
}
TEXT: dict[str, Any] = {"assets": {"chat": text_facts(MARK)}, "metadata": {"from": MARK}}
OF_THE_SAMPLE: Mapping[ErasingService, Sequence[Event]] = {
    "ingest": [
        a_sample_submitted(metadata={"from": MARK}, job_id="job-1", line=1),
        a_sample_submitted(metadata={"from": MARK, "again": True}),
    ],
    "task_assignment": [
        a_sample_ingested(**TEXT),
        a_sample_rejected(),
        an_annotation_submitted(fields=SAID),
        a_review_submitted(fields=SAID),
        a_qa_work_requested(proposal=SAID),
        a_label_finalized(fields=SAID),
        a_task_priority_changed(),
    ],
    "annotation_store": [a_sample_ingested(external_id="sample-1", language="en"), a_label_finalized(fields=SAID)],
    "qa": [
        an_annotation_stored(fields=SAID),
        an_annotation_stored(annotator_id="bo", fields=SAID),
        a_task_completed(annotators=["ana", "bo"]),
        a_review_stored(fields=SAID),
    ],
    "versioning": [a_sample_described(assets=TEXT["assets"]), a_label_recorded(fields=SAID)],
    "feedback": [
        a_prediction_submitted(fields=SAID, job_id="job-1", line=1),
        a_label_recorded(fields=SAID),
        a_finding_sample_awaited(),
    ],
}
CATALOG = asyncio.run(a_catalog())

every_service = pytest.mark.parametrize("service", sorted(ERASING))


@every_service
@settings(max_examples=10, deadline=None)
@given(order=st.randoms(use_true_random=False), dies_at=st.integers(0, 60), batch=st.integers(1, 9))
def test_nothing_is_left_whatever_the_order_and_wherever_the_service_dies(service, order, dies_at, batch):
    events = [*OF_THE_SAMPLE[service], a_sample_erased()]
    order.shuffle(events)
    world = World(service, CATALOG, fuse := Fuse(dies_at))

    async def live() -> None:
        for first in range(0, len(events), batch):
            try:
                await world.receiver.receive(*events[first : first + batch])
            except CrashError:
                fuse.blows_at = None
                await world.receiver.receive_all_again()
        fuse.blows_at = None
        await world.receiver.receive_all_again()

    asyncio.run(live())

    assert world.traces == []
    assert {erased.sample_id for erased in world.removed} == {a_sample_erased().sample_id}
    forgotten = world.announced.of(SampleForgotten)
    assert {event.service for event in forgotten} == {service}
    assert len({event.event_id for event in forgotten}) == 1


@every_service
async def test_what_comes_after_an_erasure_is_passed_over(service):
    world = World(service, CATALOG, Fuse())

    await world.receiver.receive(a_sample_erased())
    told = len(world.announced.events)
    dead = await world.receiver.receive(*OF_THE_SAMPLE[service])

    key = f"{TENANT}/{a_sample_erased().sample_id}"
    assert dead == []
    assert world.traces == []
    assert [store.documents[key]["pending"] for store in world.kept.values() if key in store.documents] == [[]]
    about_the_sample = [event for event in world.announced.events[told:] if event.key_field == "sample_id"]
    assert about_the_sample == []


async def test_what_annotators_and_reviewers_said_of_an_erased_sample_makes_no_document():
    world = World("annotation_store", CATALOG, Fuse())
    said = [an_annotation_counted(fields=SAID), a_review_counted(fields=SAID), an_annotation_surplus(fields=SAID)]

    await world.receiver.receive(*said, a_sample_erased())
    await world.receiver.receive_all_again()

    assert [world.kept[name].documents for name in ("annotations", "reviews", "surplus")] == [{}, {}, {}]


async def test_a_sample_of_another_tenant_with_the_same_id_stays():
    world = World("qa", CATALOG, Fuse())

    await world.receiver.receive(*OF_THE_SAMPLE["qa"], a_sample_erased(tenant_id="globex", sample_id="another"))
    await world.receiver.receive(a_sample_erased(tenant_id="globex", sample_id=a_sample_erased().sample_id))

    assert world.traces != []


def test_every_service_that_hears_of_an_erasure_is_tested_here():
    assert SampleErased.consumers == ERASING == ROUTES.keys() == OF_THE_SAMPLE.keys()
