from datetime import timedelta

from services.annotation_store.domain.annotation import Annotation, Review
from services.annotation_store.domain.content import fields_in
from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.domain.surplus import Surplus
from services.annotation_store.store import Draft, draft_key
from shared.events.annotations import AnnotationStored, LabelBarrier, LabelRecorded, ReviewStored, SampleDescribed
from shared.ids import sample_id_of
from shared.labels.canonical import content_hash
from tests.builders import (
    MORNING,
    PROJECT,
    TENANT,
    a_dataset_cut,
    a_label_finalized,
    a_provenance,
    a_review_counted,
    a_review_voided,
    a_sample_ingested,
    an_annotation_counted,
    an_annotation_surplus,
)
from tests.builders.base import CHAT, text_facts
from tests.unit.annotation_store.store_under_test import StoreUnderTest


def the_annotation(store: StoreUnderTest) -> Annotation:
    [state] = store.annotation_documents.states.values()
    return Annotation.model_validate(state)


def the_label(store: StoreUnderTest) -> SampleLabel:
    [state] = store.label_documents.states.values()
    return SampleLabel.model_validate(state)


async def test_a_second_body_is_a_second_revision_and_the_first_one_stays():
    store = StoreUnderTest()

    await store.receive(an_annotation_counted(fields={"intent": "refund"}))
    await store.receive(an_annotation_counted(fields={"intent": "other"}))

    assert [each.revision for each in the_annotation(store).revisions] == [1, 2]
    kept = [
        fields_in(store.annotation_documents.bodies["bodies", each.body]) for each in the_annotation(store).revisions
    ]
    assert kept == [{"intent": "refund"}, {"intent": "other"}]
    assert [(each.revision, each.fields["intent"]) for each in store.announced.of(AnnotationStored)] == [
        (1, "refund"),
        (2, "other"),
    ]


async def test_the_same_content_sent_anew_stays_one_revision_and_whoever_waits_hears_of_it():
    store = StoreUnderTest()

    await store.receive(an_annotation_counted(), an_annotation_counted())

    assert len(the_annotation(store).revisions) == 1
    assert [each.revision for each in store.announced.of(AnnotationStored)] == [1, 1]


async def test_what_is_delivered_twice_is_kept_once_and_announced_under_the_same_id():
    store = StoreUnderTest()

    await store.receive(an_annotation_counted(), a_sample_ingested(), a_label_finalized(), a_review_counted())
    documents, ids = store.annotation_documents.documents, set(store.announced.ids)
    await store.receive_all_again()

    assert store.annotation_documents.documents == documents
    assert store.announced.ids == ids
    assert len(the_label(store).revisions) == 1


async def test_a_voided_review_is_marked_also_when_that_is_told_first_and_kept():
    store = StoreUnderTest()

    await store.receive(a_review_voided())
    await store.receive(a_review_counted(), a_review_voided(event_id="told once more"))
    await store.receive(a_review_counted(verdict="reject"))

    [state] = store.review_documents.states.values()
    review = Review.model_validate(state)
    assert review.voided and [each.verdict for each in review.revisions] == ["accept", "reject"]


async def test_a_review_is_kept_with_its_issues_and_told():
    store = StoreUnderTest()

    await store.receive(a_review_counted(verdict="fix", fields={"intent": "other"}))

    [stored] = store.announced.of(ReviewStored)
    assert (stored.verdict, stored.fields, stored.revision) == ("fix", {"intent": "other"}, 1)
    [state] = store.review_documents.states.values()
    body = Review.model_validate(state).revisions[0].body
    assert fields_in(store.review_documents.bodies["bodies", body or ""]) == {"intent": "other"}


async def test_a_recorded_label_carries_the_names_of_its_sample_and_the_hash_of_its_content():
    store = StoreUnderTest()

    await store.receive(a_sample_ingested(external_id="mail-7", language="de"))
    await store.receive(a_label_finalized(external_id="mail-7", fields={"intent": "refund"}))

    [recorded] = store.announced.of(LabelRecorded)
    assert (recorded.external_id, recorded.language, recorded.revision) == ("mail-7", "de", 1)
    assert recorded.content_hash == content_hash({"intent": "refund"})


async def test_a_label_that_overtook_its_sample_is_recorded_when_the_sample_comes():
    store = StoreUnderTest()

    await store.receive(a_label_finalized())
    assert store.announced.of(LabelRecorded) == []
    await store.receive(a_sample_ingested())

    [recorded] = store.announced.of(LabelRecorded)
    assert recorded.external_id == "sample-1"


async def test_a_confirmed_label_is_a_new_revision_because_somebody_else_stands_for_it():
    store = StoreUnderTest()
    confirmed = a_provenance(decided_by="review", reviewers=["rita"])

    await store.receive(a_sample_ingested(), a_label_finalized())
    await store.receive(a_label_finalized(provenance=confirmed), a_label_finalized(provenance=confirmed))

    assert [each.provenance.decided_by for each in the_label(store).revisions] == ["consensus", "review"]
    assert the_label(store).revisions[0].content_hash == the_label(store).revisions[1].content_hash


async def test_work_that_came_too_late_is_kept_with_its_reason():
    store = StoreUnderTest()

    late = an_annotation_surplus(reason="lease-expired")
    await store.receive(late, an_annotation_surplus(fields={"intent": "other"}, reason="task-closed"), late)

    [(key, state)] = store.surplus_documents.states.items()
    assert key == draft_key(TENANT, late.task_id, "ana")
    assert [each.reason for each in Surplus.model_validate(state).works] == ["lease-expired", "task-closed"]
    assert store.annotation_documents.states == {}
    assert store.announced.events == []


async def test_a_draft_is_forgotten_when_it_is_submitted_and_one_saved_later_stays():
    store = StoreUnderTest()
    counted = an_annotation_counted()
    before = Draft(
        tenant_id=TENANT, task_id=counted.task_id, annotator_id="ana", revision=1, fields={}, saved_at=MORNING
    )
    after = before.model_copy(update={"annotator_id": "bo", "saved_at": MORNING + timedelta(seconds=1)})
    await store.drafts.write(before)
    await store.drafts.write(after)

    await store.receive(counted, an_annotation_counted(annotator_id="bo", annotation_id="annotation-2"))

    assert {id_ for id_, kept in store.drafts.kept.items() if kept.fields is not None} == {after.id}
    assert store.drafts.kept[before.id].revision == 2, "a save that was based on revision 1 fails"


async def test_a_barrier_stands_exactly_between_the_labels_before_and_after_the_cut():
    store = StoreUnderTest()
    names = ("first", "second")
    await store.receive(*(a_sample_ingested(external_id=name) for name in names))

    await store.receive(
        a_label_finalized(external_id="first"), a_dataset_cut(), a_label_finalized(external_id="second")
    )

    told = [
        getattr(each, "external_id", "barrier") for each in store.announced.events if each.topic == LabelBarrier.topic
    ]
    assert told == ["first", "barrier", "second"]
    [barrier] = store.announced.of(LabelBarrier)
    assert (barrier.dataset_job_id, barrier.partition) == ("job-1", 0)


async def test_a_cut_waits_for_a_label_that_waits_for_its_sample():
    store = StoreUnderTest()

    await store.receive(a_label_finalized(external_id="early"), a_dataset_cut(), a_label_finalized(external_id="later"))
    assert store.announced.events == []
    await store.receive(a_sample_ingested(external_id="later"))
    assert store.announced.of(LabelBarrier) == []
    await store.receive(a_sample_ingested(external_id="early"))

    told = [
        getattr(each, "external_id", "barrier") for each in store.announced.events if each.topic == LabelBarrier.topic
    ]
    assert told == ["later", "early", "barrier"]
    assert store.cuts.kept == {}


async def test_what_a_sample_is_is_told_with_its_first_label_and_when_it_changes_after_that():
    store = StoreUnderTest()

    await store.receive(a_sample_ingested(), a_sample_ingested(language="de"))
    assert store.announced.of(SampleDescribed) == []
    await store.receive(a_label_finalized(fields={"intent": "refund"}), a_label_finalized(fields={"intent": "other"}))
    await store.receive(a_sample_ingested(assets={"chat": text_facts("Changed.")}))

    told = store.announced.of(SampleDescribed)
    assert [(each.language, each.assets["chat"].text) for each in told] == [("de", CHAT), ("en", "Changed.")]


async def test_a_sample_with_long_facts_is_told_of_at_once_and_its_facts_are_kept_apart():
    store, long = StoreUnderTest(), "Where is my parcel? " * 1000

    await store.receive(a_sample_ingested(assets={"chat": text_facts(long)}))
    await store.receive(a_label_finalized())

    [told] = store.announced.of(SampleDescribed)
    assert told.assets["chat"].text == long
    kept = fields_in(store.label_documents.bodies["bodies", the_label(store).facts])
    assert kept["assets"]["chat"]["text"] == long


async def test_another_tenants_sample_of_the_same_name_is_another_document():
    store = StoreUnderTest()

    await store.receive(a_sample_ingested(), a_sample_ingested(tenant_id="globex"))

    assert sorted(store.label_documents.states) == sorted(
        f"{tenant}/{sample_id_of(tenant, PROJECT, 'sample-1')}" for tenant in (TENANT, "globex")
    )
