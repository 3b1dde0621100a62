"""What the annotation store and QA keep and ask beside the fold: the same stories on fakes and on the real database."""

from datetime import timedelta
from typing import Any

import pytest

from services.annotation_store import store as annotation_store
from services.annotation_store.domain.annotation import Annotation, on_annotation_counted
from services.annotation_store.domain.label import SampleLabel, on_label_finalized, on_sample_ingested
from services.annotation_store.domain.surplus import Surplus, on_annotation_surplus
from services.annotation_store.handlers import annotation_key, sample_key, surplus_key
from services.annotation_store.store import Cut, Draft
from services.annotation_store.vocabulary import CatalogVocabulary
from services.qa import store as qa_store
from services.qa.domain.sample import FinalLabel, GivenReview, JudgedSample
from shared.catalog import Catalog
from shared.events.samples import SampleIngested
from shared.ids import sample_id_of
from shared.labels.taxonomy.binding import bind_spec
from shared.ledger import Ledger
from shared.mongo import Database, MongoLedgerStore
from tests.builders import (
    MORNING,
    PROJECT,
    TENANT,
    a_catalog,
    a_label_finalized,
    a_project_spec,
    a_project_versioned,
    a_sample_ingested,
    a_taxonomy_versioned,
    an_annotation_counted,
    an_annotation_surplus,
)
from tests.fakes import RecordingPublisher, deliver

pytestmark = pytest.mark.integration

ARBITRARY = {"triage": {"a.b": {"$c": [1, 2.5, None]}, "": "ünï"}}


def a_draft(revision: int, **fields: str) -> Draft:
    return Draft(
        tenant_id=TENANT,
        task_id="s-1.first_pass.1",
        annotator_id="ana@example.org",
        revision=revision,
        fields=fields or ARBITRARY,
        saved_at=MORNING,
    )


async def test_of_two_who_write_the_same_revision_of_a_draft_one_wins(database: Database):
    drafts = annotation_store.MongoDrafts(database)

    won = [
        await drafts.write(a_draft(1)),
        await drafts.write(a_draft(1, intent="other")),
        await drafts.write(a_draft(2)),
    ]
    skipped = await drafts.write(a_draft(9))

    assert (won, skipped) == ([True, False, True], False)
    assert await drafts.read(a_draft(1).id) == a_draft(2)


async def test_a_draft_is_forgotten_once_it_was_submitted_unless_it_is_newer(database: Database):
    drafts = annotation_store.MongoDrafts(database)
    await drafts.write(a_draft(1))

    await drafts.forget({a_draft(1).id: MORNING - timedelta(seconds=1)})
    kept = await drafts.read(a_draft(1).id)
    for _ in range(2):  # told again
        await drafts.forget({a_draft(1).id: MORNING})

    assert kept == a_draft(1)
    assert await drafts.read(a_draft(1).id) == a_draft(1).model_copy(update={"revision": 2, "fields": None})
    assert not await drafts.write(a_draft(1))
    assert not await drafts.write(a_draft(2))
    assert await drafts.write(a_draft(3))


async def test_a_waiting_label_holds_back_later_cuts_of_its_partition_only(database: Database):
    await annotation_store.ensure_indexes(database)
    cuts = annotation_store.MongoCuts(database)
    labels = Ledger(MongoLedgerStore(database, annotation_store.LABELS), RecordingPublisher(), SampleLabel)

    await labels.fold(
        deliver([a_label_finalized()], partition=3, start_offset=7), sample_step(await a_catalog()), sample_key
    )
    waits = [await cuts.label_waits(*place) for place in ((3, 8), (3, 7), (2, 8))]
    await labels.fold(deliver([a_sample_ingested()], partition=3), sample_step(await a_catalog()), sample_key)

    assert waits == [True, False, False]
    assert not await cuts.label_waits(3, 8)


def sample_step(catalog: Catalog) -> Any:
    """Return what both kinds of events about a sample's label do."""

    def step(label: SampleLabel | None, event: Any) -> Any:
        if isinstance(event, SampleIngested):
            return on_sample_ingested(label, event)
        return on_label_finalized(label, event, CatalogVocabulary(catalog))

    return step


async def test_labels_are_found_by_the_labels_of_taxonomies_that_they_use(database: Database):
    await annotation_store.ensure_indexes(database)
    taxonomy = a_taxonomy_versioned()
    spec = a_project_spec(fields={"animal": {"kind": "choice", "taxonomy": {"name": "animals"}}})
    bound = bind_spec(spec, (await a_catalog(taxonomy)).taxonomies.lookup(TENANT)).raw
    catalog = await a_catalog(taxonomy, a_project_versioned(spec=bound))
    labels = Ledger(MongoLedgerStore(database, annotation_store.LABELS), RecordingPublisher(), SampleLabel)
    queries = annotation_store.MongoAnnotationQueries(database)
    said = {f"sample-{number}": animal for number, animal in enumerate(["duck", "owl", "duck", "cat"])}
    events = [
        event
        for name, animal in said.items()
        for event in (
            a_sample_ingested(external_id=name),
            a_label_finalized(external_id=name, fields={"animal": animal}),
        )
    ]

    await labels.fold(deliver(events), sample_step(catalog), sample_key)
    ducks = sorted(sample_id_of(TENANT, PROJECT, name) for name, animal in said.items() if animal == "duck")
    wanted = ["label:animals/duck", "left:animals/duck"]
    first = await queries.labeled(TENANT, PROJECT, wanted, after="", limit=1)
    second = await queries.labeled(TENANT, PROJECT, wanted, after=first[0], limit=9)

    assert [*first, *second] == ducks
    assert await queries.count(TENANT, PROJECT, wanted) == 2
    assert await queries.count(TENANT, PROJECT, [*wanted, "label:animals/cat"]) == 3
    assert await queries.count("elsewhere", PROJECT, wanted) == await queries.count(TENANT, "other", wanted) == 0


async def test_cuts_are_kept_in_order_until_they_are_dropped(database: Database):
    cuts = annotation_store.MongoCuts(database)
    first, second, elsewhere = (
        Cut(job_id=job, partition=partition, offset=offset, event="{}")
        for job, partition, offset in (("a", 1, 5), ("b", 1, 3), ("a", 2, 1))
    )

    for cut in (first, first, second, elsewhere):
        await cuts.keep(cut)
    due = await cuts.due([1])
    await cuts.drop(second)

    assert due == [second, first]
    assert await cuts.due([1, 2]) == [elsewhere, first]


async def test_a_samples_annotations_are_found_page_by_page_with_fields_of_any_names(database: Database):
    await annotation_store.ensure_indexes(database)
    queries = annotation_store.MongoAnnotationQueries(database)
    annotations = Ledger(MongoLedgerStore(database, annotation_store.ANNOTATIONS), RecordingPublisher(), Annotation)
    surplus = Ledger(MongoLedgerStore(database, annotation_store.SURPLUS), RecordingPublisher(), Surplus)
    counted = [an_annotation_counted(annotation_id=f"by-{who}", annotator_id=who, fields=ARBITRARY) for who in "abc"]
    stranger = an_annotation_counted(tenant_id="globex", sample_id=counted[0].sample_id)
    late = an_annotation_surplus(annotator_id="b")

    await annotations.fold(deliver([*counted, stranger]), on_annotation_counted, annotation_key)
    await surplus.fold(deliver([late]), on_annotation_surplus, surplus_key)
    sample = {"tenant_id": TENANT, "sample_id": late.sample_id}
    first = await queries.of_sample(**sample, by=None, after="", limit=2)
    rest = await queries.of_sample(**sample, by=None, after=first[-1].annotation_id, limit=2)
    own = await queries.of_sample(**sample, by="b", after="", limit=2)

    assert [each.annotator_id for each in [*first, *rest]] == ["a", "b", "c"]
    assert [each.annotation_id for each in own] == ["by-b"]
    assert await queries.fields_of([first[0].latest.body]) == {first[0].latest.body: ARBITRARY}
    assert [each.annotator_id for each in await queries.surplus_of_sample(**sample, by=None)] == ["b"]
    assert await queries.surplus_of_sample(**sample, by="a") == []


async def test_samples_are_counted_by_where_they_are_and_found_the_newest_first(database: Database):
    await qa_store.ensure_indexes(database)
    queries = qa_store.MongoQaQueries(database)
    final = FinalLabel(fields=ARBITRARY, decided_by="review", project_version=1)
    review = GivenReview(review_id="r", reviewer_id="rita", stage="peer_review", revision=1, verdict="fix", issues=0)
    states = [
        JudgedSample(sample_id="s-1", project_id="support", updated_ms=1),
        JudgedSample(sample_id="s-2", project_id="support", decision="extend", open_work="first_pass", updated_ms=2),
        JudgedSample(
            sample_id="s-3", project_id="support", decision="finalize", final=final, reviews=(review,), updated_ms=3
        ),
        JudgedSample(sample_id="s-4", project_id="other", decision="finalize", final=final, updated_ms=4),
    ]
    rest = {"revision": 1, "tenant_id": TENANT, "lanes": {}, "seen": [], "outbox": [], "pending": []}
    await MongoLedgerStore(database, qa_store.SAMPLES).replace(
        [{"_id": f"{TENANT}/{each.sample_id}", "state": each.model_dump(mode="json"), **rest} for each in states]
    )

    counts = await queries.counts(TENANT, "support")
    newest = [JudgedSample.model_validate(state) for state in await queries.newest(TENANT, "support", 2)]

    assert newest == [states[2], states[1]]
    assert (counts.judged, counts.finalized, counts.decided_by) == (2, 1, {"review": 1})
    assert (counts.decisions, counts.open_work) == ({"extend": 1, "finalize": 1}, {"first_pass": 1})
    assert counts.reviews == {"fix": 1}
    assert (await queries.counts("globex", "support")).judged == 0


async def test_labeled_samples_of_a_project_come_page_by_page(database: Database):
    labels = Ledger(MongoLedgerStore(database, annotation_store.LABELS), RecordingPublisher(), SampleLabel)
    names = [f"s-{number}" for number in range(3)]
    samples = [a_sample_ingested(external_id=name) for name in names]
    await labels.fold(deliver(samples), on_sample_ingested, sample_key)
    await labels.fold(
        deliver([a_label_finalized(external_id=name) for name in names[:2]]), sample_step(await a_catalog()), sample_key
    )
    labeled = sorted(each.sample_id for each in samples[:2])
    queries = annotation_store.MongoAnnotationQueries(database)

    first = await queries.labeled_samples(TENANT, "support", after="", limit=1)
    rest = await queries.labeled_samples(TENANT, "support", after=first[0], limit=10)

    assert [*first, *rest] == labeled
    assert await queries.labeled_samples("globex", "support", after="", limit=10) == []


async def test_the_samples_that_keep_the_rules_least_come_first(database: Database):
    samples = MongoLedgerStore(database, qa_store.SAMPLES)
    scores = {"s-1": 1.0, "s-2": 0.5, "s-3": None, "s-4": 0.0}
    states = [JudgedSample(sample_id=name, project_id="support", consistency=score) for name, score in scores.items()]
    documents = [
        {
            "_id": f"{TENANT}/{state.sample_id}",
            "revision": 1,
            "tenant_id": TENANT,
            "state": state.model_dump(mode="json"),
        }
        for state in states
    ]
    await samples.replace([each | {"lanes": {}, "seen": [], "outbox": [], "pending": []} for each in documents])

    found = await qa_store.MongoQaQueries(database).least_consistent(TENANT, "support", 10)

    assert found == [("s-4", 0.0), ("s-2", 0.5)]


async def test_the_labeled_samples_of_a_project_are_found_page_by_page(database: Database):
    await annotation_store.ensure_indexes(database)
    labels = Ledger(MongoLedgerStore(database, annotation_store.LABELS), RecordingPublisher(), SampleLabel)
    names = [f"sample-{number}" for number in range(4)]
    ingested = [a_sample_ingested(external_id=name) for name in names]
    elsewhere = a_sample_ingested(external_id="sample-0", project_id="other")
    finalized = [a_label_finalized(external_id=name) for name in names[:3]]
    other = a_label_finalized(sample_id=elsewhere.sample_id, project_id="other")
    step = sample_step(await a_catalog(a_project_versioned(), a_project_versioned(project_id="other")))
    await labels.fold(deliver([*ingested, elsewhere]), on_sample_ingested, sample_key)
    await labels.fold(deliver([*finalized, other], start_offset=10), step, sample_key)

    queries = annotation_store.MongoAnnotationQueries(database)
    first = await queries.labels_of(TENANT, "support", "", 2)
    rest = await queries.labels_of(TENANT, "support", first[-1].sample_id, 2)

    assert [each.sample_id for each in [*first, *rest]] == sorted(each.sample_id for each in finalized)
    assert await queries.labels_of("other", "support", "", 2) == []
