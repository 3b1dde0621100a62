from datetime import timedelta

import pytest

from services.annotation_store.api import create_router
from services.annotation_store.reading import Reader
from shared.events.annotations import AnnotationStored
from shared.events.origin import Origin
from shared.ids import sample_id_of, task_id_of
from tests.asking import asking
from tests.builders import (
    MORNING,
    PROJECT,
    TENANT,
    a_catalog,
    a_label_finalized,
    a_project_spec,
    a_project_versioned,
    a_provenance,
    a_sample_ingested,
    an_annotation_counted,
    an_annotation_surplus,
    an_origin,
)
from tests.fakes import FakeClock
from tests.unit.annotation_store.store_under_test import StoreUnderTest

SAMPLE = sample_id_of(TENANT, PROJECT, "sample-1")
TASK = task_id_of(SAMPLE, "first_pass", 1)


async def a_store(*events, blind=True):
    store = StoreUnderTest()
    await store.receive(a_sample_ingested(), *events)
    catalog = await a_catalog(a_project_versioned(spec=a_project_spec(blind=blind)))
    reader = Reader(
        store.annotations, store.labels, store.surplus, store.rechecks, store.migration_jobs, store.queries, catalog
    )
    return store, (create_router, reader, store.drafts, 1000, FakeClock())


def two_annotations():
    return [an_annotation_counted(annotator_id=who, annotation_id=f"by-{who}") for who in ("ana", "bo")]


async def test_a_manager_sees_all_annotations_of_a_sample_page_by_page():
    _, service = await a_store(*two_annotations(), an_annotation_surplus(annotator_id="chi"))

    async with asking(*service) as client:
        first = (await client.get(f"/samples/{SAMPLE}/annotations?limit=1")).json()
        rest = (await client.get(f"/samples/{SAMPLE}/annotations", params={"cursor": first["next"]})).json()

    assert [each["annotator_id"] for each in first["items"]] == ["ana"]
    assert [(each["annotator_id"], each["surplus"]) for each in rest["items"]] == [
        ("bo", None),
        ("chi", "lease-expired"),
    ]
    assert rest["next"] is None


async def test_an_annotator_of_a_blind_project_sees_their_own_only():
    _, service = await a_store(*two_annotations(), an_annotation_surplus(annotator_id="chi"))

    async with asking(*service, who="bo", roles=("annotator",)) as client:
        page = (await client.get(f"/samples/{SAMPLE}/annotations?limit=1")).json()
        own = await client.get("/annotations/by-bo")
        other = await client.get("/annotations/by-ana")
        label = await client.get(f"/samples/{SAMPLE}/label")

    assert [each["annotator_id"] for each in page["items"]] == ["bo"]
    assert page["next"] is None
    assert [own.status_code, other.status_code, label.status_code] == [200, 403, 403]
    assert other.headers["content-type"] == "application/problem+json"


async def test_annotators_of_an_open_project_see_each_other():
    _, service = await a_store(*two_annotations(), blind=False)

    async with asking(*service, who="bo", roles=("annotator",)) as client:
        page = (await client.get(f"/samples/{SAMPLE}/annotations")).json()

    assert len(page["items"]) == 2


async def test_what_another_tenant_owns_is_not_found():
    _, service = await a_store(*two_annotations(), a_label_finalized())

    async with asking(*service, tenant="globex") as client:
        paths = ["annotations/by-ana", "annotations/by-ana/revisions"]
        paths += [f"samples/{SAMPLE}/{rest}" for rest in ("annotations", "label", "label/history")]
        statuses = [(await client.get(f"/{path}")).status_code for path in paths]

    assert set(statuses) == {404}


async def test_a_key_for_another_project_does_not_reach_this_one():
    _, service = await a_store(a_label_finalized())

    async with asking(*service, projects=("other",)) as client:
        refused = await client.get(f"/samples/{SAMPLE}/label")

    assert refused.status_code == 403


async def test_an_annotation_is_told_with_its_revisions():
    _, service = await a_store(*two_annotations(), an_annotation_counted(annotation_id="by-ana", fields={}))

    async with asking(*service) as client:
        newest = await client.get("/annotations/by-ana")
        history = (await client.get("/annotations/by-ana/revisions?limit=1")).json()
        rest = (await client.get("/annotations/by-ana/revisions", params={"cursor": history["next"]})).json()

    assert (newest.json()["revision"], newest.json()["fields"], newest.headers["etag"]) == (2, {}, '"2"')
    assert [each["fields"] for each in [*history["items"], *rest["items"]]] == [{"intent": "refund"}, {}]


async def test_a_label_is_told_with_its_history_the_newest_first():
    review = a_provenance(decided_by="review", reviewers=["rita"])
    later = a_label_finalized(fields={"intent": "other"}, provenance=review)
    _, service = await a_store(a_label_finalized(), later)

    async with asking(*service, roles=("reviewer",)) as client:
        label = (await client.get(f"/samples/{SAMPLE}/label")).json()
        history = (await client.get(f"/samples/{SAMPLE}/label/history")).json()

    assert (label["revision"], label["fields"], label["external_id"]) == (2, {"intent": "other"}, "sample-1")
    assert [each["provenance"]["decided_by"] for each in history["items"]] == ["review", "consensus"]


async def test_a_sample_without_a_label_says_that_it_is_still_judged():
    _, service = await a_store()

    async with asking(*service) as client:
        answer = await client.get(f"/samples/{SAMPLE}/label")

    assert answer.status_code == 404
    assert "still being judged" in answer.json()["detail"]


async def test_a_draft_is_written_over_only_by_who_has_seen_it():
    _, service = await a_store()

    async with asking(*service, who="ana", roles=("annotator",)) as client:
        first = await client.put(f"/tasks/{TASK}/draft", json={"fields": {"intent": "refund"}})
        blind = await client.put(f"/tasks/{TASK}/draft", json={"fields": {}})
        tag = {"if-match": first.headers["etag"]}
        second = await client.put(f"/tasks/{TASK}/draft", json={"fields": {"intent": "other"}}, headers=tag)
        stale = await client.put(f"/tasks/{TASK}/draft", json={"fields": {}}, headers=tag)
        kept = await client.get(f"/tasks/{TASK}/draft")

    assert [first.status_code, blind.status_code, second.status_code, stale.status_code] == [200, 412, 200, 412]
    assert stale.json()["revision"] == 2
    assert (kept.json()["fields"], kept.headers["etag"]) == ({"intent": "other"}, second.headers["etag"])


async def test_a_save_that_was_on_its_way_when_the_draft_was_submitted_is_refused_and_revisions_go_on():
    store, service = await a_store()
    path, late = f"/tasks/{TASK}/draft", {"fields": {"intent": "refund"}}

    async with asking(*service, who="ana", roles=("annotator",)) as client:
        first = await client.put(path, json=late)
        await store.receive(an_annotation_counted(occurred_at=MORNING + timedelta(minutes=1)))
        await store.receive_all_again()
        stale = [
            await client.put(path, json=late, headers=tag)
            for tag in ({"if-match": first.headers["etag"]}, {}, {"if-match": "*"}, {"if-match": '"0"'})
        ]
        none = await client.get(path)
        anew = await client.put(path, json=late, headers={"if-match": f'"{none.json()["revision"]}"'})
        again = await client.put(path, json=late, headers={"if-match": first.headers["etag"]})

    assert [each.status_code for each in stale] == [412] * 4
    assert {each.json()["revision"] for each in stale} == {2}
    assert none.status_code == 404
    assert (anew.status_code, anew.json()["revision"]) == (200, 3)
    assert again.status_code == 412, "a revision is never given out twice"


async def test_nobody_sees_anothers_draft():
    _, service = await a_store()

    async with asking(*service, who="ana", roles=("annotator",)) as client:
        await client.put(f"/tasks/{TASK}/draft", json={"fields": {"intent": "refund"}})
    async with asking(*service, who="bo", roles=("annotator", "reviewer")) as client:
        answer = await client.get(f"/tasks/{TASK}/draft")

    assert answer.status_code == 404


async def test_work_that_came_too_late_is_there_as_a_draft_with_the_reason():
    late = an_annotation_surplus(fields={"intent": "other"}, reason="lease-expired")
    _, service = await a_store(late)

    async with asking(*service, who="ana", roles=("annotator",)) as client:
        kept = (await client.get(f"/tasks/{TASK}/draft")).json()

    assert (kept["fields"], kept["surplus"]) == ({"intent": "other"}, "lease-expired")


async def test_late_work_steps_back_behind_what_was_submitted_or_saved_after_it():
    store, service = await a_store(an_annotation_surplus())
    ana = {"who": "ana", "roles": ("annotator",)}

    async with asking(*service, **ana) as client:
        await client.put(f"/tasks/{TASK}/draft", json={"fields": {"intent": "delivery"}}, headers={"if-match": '"0"'})
        saved = (await client.get(f"/tasks/{TASK}/draft")).json()
    await store.receive(an_annotation_counted(occurred_at=MORNING + timedelta(minutes=1)))
    async with asking(*service, **ana) as client:
        submitted = await client.get(f"/tasks/{TASK}/draft")

    assert (saved["fields"], saved["surplus"]) == ({"intent": "delivery"}, None)
    assert submitted.status_code == 404


@pytest.mark.parametrize(
    ("task", "body", "status"),
    [
        (TASK, {"fields": {"intent": "x" * 2000}}, 413),
        (TASK, {"answers": {}}, 422),
        ("no-such-sample.first_pass.1", {"fields": {}}, 404),
    ],
)
async def test_a_draft_that_cannot_be_kept_is_refused(task, body, status):
    store, service = await a_store()

    async with asking(*service, who="ana", roles=("annotator",)) as client:
        answer = await client.put(f"/tasks/{task}/draft", json=body)

    assert answer.status_code == status
    assert store.drafts.kept == {}


async def test_an_annotation_is_told_with_where_it_comes_from():
    origin = an_origin(channel="tool", client="label-studio/1.20")
    under_test, service = await a_store(
        *two_annotations(), an_annotation_counted(annotation_id="by-tool", origin=origin)
    )

    async with asking(*service) as client:
        told = (await client.get("/annotations/by-tool")).json()
        older = (await client.get("/annotations/by-ana")).json()

    assert Origin.model_validate(told["origin"]) == origin
    assert older["origin"] is None
    stored = under_test.announced.of(AnnotationStored)[-1]
    assert (stored.origin, stored.seconds_spent) == (origin, 12.0)
