"""What versioning and feedback ask beside the fold, and a freeze as a whole, on the real database and object store."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from services.feedback import store as feedback_store
from services.feedback.domain import finding, model_tally
from services.feedback.domain.finding import Finding
from services.feedback.domain.model_tally import FindingPolicy, ModelTally
from services.feedback.handlers import finding_key, model_key
from services.feedback.store import FindingCursor, MongoFeedbackStore
from services.versioning import store as versioning_store
from services.versioning.domain import dataset, label_row, project
from services.versioning.domain.dataset import Dataset, DatasetJob, Tag
from services.versioning.domain.label_row import LabelRow
from services.versioning.domain.project import Project
from services.versioning.freezing import Freezer
from services.versioning.handlers import dataset_key, job_key, project_key, sample_key, tag_key
from services.versioning.rows import read_rows
from services.versioning.store import DatasetCursor, MongoVersioningStore
from shared.events import Event
from shared.ids import new_id
from shared.ledger import Ledger
from shared.media import Media
from shared.mongo import Database, MongoLedgerStore
from tests.builders import (
    PROJECT,
    TENANT,
    a_catalog,
    a_dataset_frozen,
    a_dataset_ready,
    a_dataset_requested,
    a_dataset_summary,
    a_dataset_tag_requested,
    a_finding_dismissed,
    a_finding_opened,
    a_label_recorded,
    a_prediction_judged,
    a_project_published,
    a_sample_described,
)
from tests.fakes import FakeClock, RecordingPublisher, deliver

AWKWARD = {"intent": "refund", "form": {"a.b": {"$set": [1, 2.5, None]}, "": "ünï"}}


class Filling:
    """Folds events into the collections of a service."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._offset = 0

    def ledger(self, collection: str, state: Any) -> Ledger[Any]:
        return Ledger(MongoLedgerStore(self._database, collection), RecordingPublisher(), state)

    async def fold(self, collection: str, state: Any, step: Any, key: Any, *events: Event) -> None:
        placed = [event.model_copy(update={"log_partition": 0, "log_offset": self._offset}) for event in events]
        dead = await self.ledger(collection, state).fold(deliver(placed, start_offset=self._offset), step, key)
        assert not dead
        self._offset += len(events)


async def test_rows_come_in_order_of_samples_batch_by_batch_and_of_one_project(database: Database):
    await versioning_store.ensure_indexes(database)
    filling, store = Filling(database), MongoVersioningStore(database)
    labels = [a_label_recorded(external_id=f"s{number}", fields=AWKWARD) for number in range(7)]
    others = [a_label_recorded(project_id="meeting"), a_label_recorded(tenant_id="rivals")]
    await filling.fold("label_rows", LabelRow, label_row.record, sample_key, *labels, *others)

    batches = [batch async for batch in store.rows(TENANT, PROJECT, 3)]

    assert [len(batch) for batch in batches] == [3, 3, 1]
    found = [row for batch in batches for row in batch]
    assert [row.sample_id for row in found] == sorted(label.sample_id for label in labels)
    bodies = await store.bodies([found[0].revisions[0].body, "unheard-of"])
    assert [body["fields"] for body in bodies.values()] == [AWKWARD]


async def test_the_audit_of_a_project_is_read_from_the_newest_on(database: Database):
    filling, store = Filling(database), MongoVersioningStore(database)
    wishes = [a_project_published(spec_hash=f"v{number}", published_by=f"p{number}") for number in range(4)]
    await filling.fold("projects", Project, project.publish, project_key, *wishes)

    newest = await store.audit(TENANT, PROJECT, None, 2)
    rest = await store.audit(TENANT, PROJECT, newest[-1].number, 10)

    assert [entry.by for entry in [*newest, *rest]] == ["p3", "p2", "p1", "p0"]
    assert await store.audit("rivals", PROJECT, None, 10) == []


async def test_datasets_are_read_from_the_newest_on_with_their_tags(database: Database):
    await versioning_store.ensure_indexes(database)
    filling, store = Filling(database), MongoVersioningStore(database)
    times = {"a": 1000, "b": 2000, "c": 2000, "d": 3000}
    frozen = [
        a_dataset_frozen(summary=a_dataset_summary(dataset_id=name), appended_at_ms=time)
        for name, time in times.items()
    ]
    await filling.fold("datasets", Dataset, dataset.keep, dataset_key, *frozen)
    wishes = [a_dataset_tag_requested(tag=tag, dataset_id=of) for tag, of in [("x", "d"), ("y", "d"), ("z", "a")]]
    await filling.fold("tags", Tag, dataset.point, tag_key, *wishes)

    first = await store.datasets(TENANT, PROJECT, None, 2)
    end = DatasetCursor(first[-1].frozen_ms, first[-1].dataset_id)
    rest = await store.datasets(TENANT, PROJECT, end, 10)

    assert [each.dataset_id for each in [*first, *rest]] == ["d", "b", "c", "a"]
    assert await store.tags_of(TENANT, ["d", "b"]) == {"d": ["x", "y"], "b": []}


async def test_the_dataset_before_is_the_last_one_of_other_content(database: Database):
    filling, store = Filling(database), MongoVersioningStore(database)
    for number, (name, time) in enumerate({"a": 1000, "b": 2000, "c": 3000}.items()):
        job = {"job_id": f"job-{number}"}
        ready = a_dataset_ready(**job, frozen=a_dataset_summary(dataset_id=name), appended_at_ms=time)

        def ask(state: DatasetJob | None, event: Any) -> Any:
            return dataset.request(state, event, partitions=1)

        await filling.fold("dataset_jobs", DatasetJob, ask, job_key, a_dataset_requested(**job))
        await filling.fold("dataset_jobs", DatasetJob, dataset.finish, job_key, ready)

    assert await store.previous_dataset(TENANT, PROJECT, 9000, but="x") == "c"
    assert await store.previous_dataset(TENANT, PROJECT, 9000, but="c") == "b"
    assert await store.previous_dataset(TENANT, PROJECT, 2000, but="x") == "a"
    assert await store.previous_dataset(TENANT, PROJECT, 1000, but="x") is None


async def test_a_freeze_reads_and_writes_real_stores(database: Database, object_store: Media, tmp_path: Path):
    filling = Filling(database)
    labels = [a_label_recorded(external_id=f"s{number}", fields=AWKWARD) for number in range(5)]
    samples = [a_sample_described(external_id=f"s{number}") for number in range(5)]
    await filling.fold("label_rows", LabelRow, label_row.describe, sample_key, *samples)
    await filling.fold("label_rows", LabelRow, label_row.record, sample_key, *labels)
    freezer = Freezer(
        MongoVersioningStore(database),
        filling.ledger("dataset_jobs", DatasetJob),
        object_store,
        await a_catalog(),
        FakeClock(),
        batch_rows=2,
        patience=timedelta(0),
    )
    ready = a_dataset_ready(job_id=new_id(), barriers={0: 9}, note="real")

    summary = await freezer.freeze(ready)
    again = await freezer.freeze(ready)

    assert again == summary
    assert summary.samples == 4  # the fifth label stands at the barrier
    await object_store.get_file(summary.rows, tmp_path / "rows")
    rows = list(read_rows(tmp_path / "rows"))
    assert [row.fields for row in rows] == [AWKWARD] * 4
    manifest = json.loads(await object_store.get(summary.manifest))
    assert (manifest["dataset_id"], manifest["note"]) == (summary.dataset_id, "real")


async def test_models_and_findings_are_read_page_by_page(database: Database):
    await feedback_store.ensure_indexes(database)
    filling, store = Filling(database), MongoFeedbackStore(database)

    def count(state: ModelTally | None, event: Any) -> Any:
        return model_tally.count(state, event, FindingPolicy())

    judged = [a_prediction_judged(model=name, model_key=f"{TENANT}/{PROJECT}/{name}/1") for name in ("a", "b", "c")]
    await filling.fold("models", ModelTally, count, model_key, *judged)
    opened = [a_finding_opened(finding_id=name, appended_at_ms=time) for name, time in [("x", 1), ("y", 2), ("z", 2)]]
    await filling.fold("findings", Finding, finding.open_finding, finding_key, *opened)
    await filling.fold("findings", Finding, finding.dismiss, finding_key, a_finding_dismissed(finding_id="y"))

    first = await store.models(TENANT, PROJECT, None, "", 2)
    rest = await store.models(TENANT, PROJECT, None, first[-1].model_key, 2)
    assert [each.model for each in [*first, *rest]] == ["a", "b", "c"]
    assert first[0].judged == {} and first[0].samples == 1
    assert [each.model for each in await store.models(TENANT, PROJECT, "b", "", 9)] == ["b"]

    async def ids(**chosen: Any) -> list[str]:
        asked: dict[str, Any] = {"model": None, "is_open": None, "after": None, "limit": 9}
        return [each.finding_id for each in await store.findings(TENANT, PROJECT, **(asked | chosen))]

    assert await ids() == ["y", "z", "x"]
    assert await ids(after=FindingCursor(2, "y")) == ["z", "x"]
    assert (await ids(is_open=True), await ids(is_open=False)) == (["z", "x"], ["y"])
    assert await ids(model="unheard-of") == []
