"""What lies beside the folds of an erased sample is removed, and nothing of any other sample is."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest

from services.annotation_store import store as annotation_store
from services.annotation_store.domain.annotation import Annotation, on_annotation_counted
from services.annotation_store.domain.label import SampleLabel, on_label_finalized, on_sample_ingested
from services.annotation_store.handlers import annotation_key, sample_key
from services.annotation_store.store import Draft
from services.annotation_store.vocabulary import CatalogVocabulary
from services.ingest import store as ingest_store
from services.ingest.domain.resemblance import Band, on_image_met
from services.ingest.domain.upload import Upload, on_media_uploaded, on_upload_awaited
from services.ingest.handlers import upload_key
from services.versioning.domain import label_row
from services.versioning.domain.label_row import LabelRow
from services.versioning.store import MongoVersioningStore
from shared.clock import to_ms
from shared.erasure import Erased, MongoErasures
from shared.events.resemblance import ImageMet, NearDuplicate
from shared.job_errors import MongoJobErrors
from shared.jobs import JobPart, on_line_finished, part_key
from shared.ledger import Ledger
from shared.media import Media
from shared.mongo import Database, MongoLedgerStore
from tests.builders import (
    MORNING,
    PROJECT,
    TENANT,
    a_catalog,
    a_label_finalized,
    a_label_recorded,
    a_media_uploaded,
    a_sample_described,
    a_sample_ingested,
    an_annotation_counted,
    an_image_met,
    an_import_line_finished,
    an_upload_awaited,
)
from tests.builders.base import text_facts
from tests.fakes import RecordingPublisher, deliver

pytestmark = pytest.mark.integration

GONE = "sample-1"
STAYS = "sample-10"
ERASED = Erased(TENANT, a_sample_ingested(external_id=GONE).sample_id, PROJECT)


async def everything(database: Database) -> dict[str, list[str]]:
    """Return the ids of all documents, by collection."""
    names = await database.list_collection_names()
    return {name: sorted([str(each["_id"]) async for each in database[name].find({}, {"_id": 1})]) for name in names}


async def test_annotations_contents_and_drafts_of_the_sample_go_and_others_stay(database: Database):
    annotations = Ledger(MongoLedgerStore(database, annotation_store.ANNOTATIONS), RecordingPublisher(), Annotation)
    labels = Ledger(MongoLedgerStore(database, annotation_store.LABELS), RecordingPublisher(), SampleLabel)
    drafts = annotation_store.MongoDrafts(database)
    await annotation_store.ensure_indexes(database)
    finalize = partial(on_label_finalized, known=CatalogVocabulary(await a_catalog()))
    for name in (STAYS, GONE):
        counted = an_annotation_counted(external_id=name, annotation_id=f"of-{name}", fields={"intent": name})
        await annotations.fold(deliver([counted]), on_annotation_counted, annotation_key)
        await labels.fold(deliver([a_sample_ingested(external_id=name)]), on_sample_ingested, sample_key)
        await labels.fold(deliver([a_label_finalized(external_id=name)]), finalize, sample_key)
        draft = {"tenant_id": TENANT, "task_id": counted.task_id, "annotator_id": "ana", "revision": 1}
        await drafts.write(Draft(**draft, fields={"intent": name}, saved_at=MORNING))
        if name == STAYS:
            before = await everything(database)

    await annotation_store.Remains(database).remove(ERASED)
    await annotation_store.Remains(database).remove(ERASED)

    after = await everything(database)
    grave = f"{TENANT}/{ERASED.sample_id}"
    assert {name: [id_ for id_ in ids if id_ != grave] for name, ids in after.items()} == before


async def test_labels_and_facts_that_datasets_are_made_of_go(database: Database):
    rows = Ledger(MongoLedgerStore(database, "label_rows"), RecordingPublisher(), LabelRow)
    long = {"chat": text_facts("Where is my parcel? " * 1000)}
    for name in (GONE, STAYS):
        described = a_sample_described(external_id=name, assets=long)
        await rows.fold(deliver([described]), label_row.describe, sample_key)
        await rows.fold(deliver([a_label_recorded(external_id=name)]), label_row.record, sample_key)

    await MongoVersioningStore(database).remove(ERASED)

    left = (await everything(database))[label_row.BODIES]
    assert len(left) == 2
    assert all(ERASED.sample_id not in id_ for id_ in left)


async def test_media_previews_and_failed_lines_go_and_an_upload_that_others_need_stays(
    database: Database, object_store: Media
):
    uploads = Ledger(MongoLedgerStore(database, ingest_store.UPLOADS), RecordingPublisher(), Upload)
    jobs = Ledger(MongoLedgerStore(database, ingest_store.JOBS), RecordingPublisher(), JobPart)
    errors = MongoJobErrors(database)
    await ingest_store.ensure_indexes(database)
    await errors.ensure_indexes()
    for upload, samples in {"alone": [GONE], "shared": [GONE, STAYS]}.items():
        uploaded = a_media_uploaded(upload_id=f"erasure-{upload}")
        await object_store.put(uploaded.object, b"pixels")
        awaited = [an_upload_awaited(upload_id=f"erasure-{upload}", external_id=name) for name in samples]
        await uploads.fold(deliver([uploaded]), on_media_uploaded, upload_key)
        await uploads.fold(deliver(awaited), on_upload_awaited, upload_key)
    failed = [
        an_import_line_finished(
            line=line,
            outcome="conflict",
            sample_id=a_sample_ingested(external_id=name).sample_id,
            source="{}",
        )
        for line, name in enumerate((GONE, STAYS), 1)
    ]
    await jobs.fold(deliver(failed), on_line_finished, part_key)

    await ingest_store.Remains(database, object_store, errors).remove(ERASED)

    kept = {
        name: await object_store.size(a_media_uploaded(upload_id=f"erasure-{name}").object)
        for name in ("alone", "shared")
    }
    assert kept == {"alone": None, "shared": 6}
    assert (await everything(database))["job_errors"] == [f"{TENANT}/job-1#2"]


async def test_an_erased_image_is_forgotten_by_those_that_look_like_it_even_while_they_are_folded(
    database: Database, object_store: Media
):
    bands = Ledger(MongoLedgerStore(database, ingest_store.BANDS), RecordingPublisher(), Band)
    await ingest_store.ensure_indexes(database)

    def key(event: ImageMet) -> str:
        return f"{event.tenant_id}/{event.band_id}"

    met = [an_image_met(external_id=name, event_id=name) for name in (GONE, STAYS, "sample-3")]
    await bands.fold(deliver(met[:2]), on_image_met, key)
    alike = NearDuplicate(sample_id=ERASED.sample_id, slot="photo", own_slot="photo", distance=0)
    flagged = {"near_duplicates": [alike.model_dump()], "sample_id": "sample-2"}
    await database[ingest_store.SAMPLES].insert_one(
        {"_id": f"{TENANT}/sample-2", "tenant_id": TENANT, "revision": 1, "state": flagged}
    )

    remains = ingest_store.Remains(database, object_store, MongoJobErrors(database))
    await remains.remove(ERASED)
    await bands.fold(deliver(met[2:], start_offset=2), on_image_met, key)
    await remains.remove(ERASED)

    [band] = [each async for each in database[ingest_store.BANDS].find({})]
    sample = await database[ingest_store.SAMPLES].find_one({"_id": f"{TENANT}/sample-2"})
    assert [each["sample_id"] for each in band["state"]["seen"]] == sorted(each.sample_id for each in met[1:])
    assert sample is not None
    assert (sample["state"]["near_duplicates"], sample["revision"]) == ([], 2)


async def test_erasures_are_done_again_for_a_while_and_then_forgotten(database: Database):
    erasures = MongoErasures(database)
    now = to_ms(MORNING)

    await erasures.note(ERASED, now)
    await erasures.note(ERASED, now + 5)

    assert list(await erasures.since(now - 1)) == [ERASED]
    assert list(await erasures.since(to_ms(MORNING + timedelta(hours=1)))) == []
