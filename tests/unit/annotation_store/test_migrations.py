"""Labels of record follow their taxonomy: forward as revisions of the migration, and back where nothing came after."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events.annotations import LabelRecorded
from tests.builders import (
    a_label_finalized,
    a_label_migration_due,
    a_migration_requested,
    a_migration_scanned,
    a_project_rebound,
    a_provenance,
)
from tests.unit.annotation_store.migration_world import MIGRATION, ROLLBACK, MigrationWorld

SPLIT = {"op": "split", "label": "owl", "into": [{"id": "barn_owl", "name": "Barn"}, {"id": "snowy_owl", "name": "S"}]}


async def test_a_migration_writes_revisions_under_its_name_and_tells_of_them():
    world = MigrationWorld()
    for number, animal in enumerate(["duck", "cat", "duck", "goose", "duck"]):
        await world.label(number, animal)

    world.change()
    await world.migrate()

    assert await world.animals() == {
        "sample-0": ["duck", "goose"],
        "sample-1": ["cat"],
        "sample-2": ["duck", "goose"],
        "sample-3": ["goose"],
        "sample-4": ["duck", "goose"],
    }
    given, migrated = world.recorded(0)
    assert (migrated.revision, migrated.project_version, migrated.fields) == (2, 2, {"animal": "goose"})
    stamp = migrated.provenance.migration
    assert stamp is not None
    assert (stamp.id, stamp.taxonomy, stamp.version, stamp.revision) == (MIGRATION, "animals", 2, 1)
    assert migrated.provenance.annotators == given.provenance.annotators


async def test_the_job_counts_the_labels_that_the_migration_concerns():
    world = MigrationWorld()
    for number, animal in enumerate(["duck", "cat", "duck", "duck"]):
        await world.label(number, animal)
    world.change()

    await world.receive(a_migration_requested())
    running = await world.job()
    await world.receive(a_project_rebound())
    await world.settle()

    assert (running["state"], running["total"]) == ("running", None)
    done = await world.job()
    assert (done["state"], done["done"], done["total"], done["failed"]) == ("done", 3, 3, 0)
    assert done["outcomes"] == {"migrated": 3}
    assert done["result"]["projects"] == {"support": {"version": 2, "bound": True, "faults": []}}


async def test_a_rollback_restores_what_the_migration_wrote_last_and_lists_the_rest():
    world = MigrationWorld()
    for number in range(3):
        await world.label(number, "duck")
    world.change()
    await world.migrate()
    await world.label(1, "owl", version=2, provenance=a_provenance(decided_by="review"))

    world.change_back()
    await world.migrate()

    assert await world.animals() == {
        "sample-0": ["duck", "goose", "duck"],
        "sample-1": ["duck", "goose", "owl"],
        "sample-2": ["duck", "goose", "duck"],
    }
    first, _, restored = world.recorded(0)
    assert (restored.content_hash, restored.project_version) == (first.content_hash, first.project_version)
    assert restored.provenance.migration is not None
    assert (restored.provenance.migration.id, restored.provenance.migration.rolls_back) == (ROLLBACK, MIGRATION)
    job = await world.job(ROLLBACK)
    assert (job["state"], job["outcomes"], job["failed"]) == ("done", {"restored": 2, "left": 1}, 1)
    async with world.asking() as client:
        errors = [json.loads(line) for line in (await client.get(f"/jobs/{ROLLBACK}/errors")).text.splitlines()]
    assert [(each["external_id"], each["faults"][0]["code"]) for each in errors] == [("sample-1", "changed-since")]


async def test_a_rollback_can_itself_be_rolled_back():
    world = MigrationWorld()
    await world.label(0, "duck")
    world.change()
    await world.migrate()
    world.change_back()
    await world.migrate()

    again = "annotation_store-r2"
    world.publish(world.taxonomies[1], migration=again, rolls_back=ROLLBACK)
    await world.receive(a_migration_requested(taxonomy_version=4, rolls_back=ROLLBACK, job_id=again))
    await world.receive(a_project_rebound(project_version=4, job_id=again))
    await world.settle()

    assert await world.animals() == {"sample-0": ["duck", "goose", "duck", "goose"]}
    assert await world.send_stragglers() == 0


async def test_a_label_that_comes_under_the_older_version_is_kept_as_given_and_migrated_as_a_second_revision():
    world = MigrationWorld()
    world.change()
    await world.migrate()

    await world.label(7, "duck", version=1)

    assert await world.animals() == {"sample-7": ["duck", "goose"]}
    given, migrated = world.recorded(7)
    assert (given.project_version, given.provenance.migration) == (1, None)
    assert migrated.provenance.migration is not None
    assert migrated.provenance.migration.id == MIGRATION


async def test_a_split_label_is_left_and_listed_for_labeling_anew():
    world = MigrationWorld()
    await world.label(0, "owl")
    await world.label(1, "cat")

    world.change(SPLIT)
    await world.migrate()

    assert await world.animals() == {"sample-0": ["owl"], "sample-1": ["cat"]}
    job = await world.job()
    assert (job["outcomes"], job["failed"]) == ({"left": 1}, 1)
    async with world.asking() as client:
        [error] = [json.loads(line) for line in (await client.get(f"/jobs/{MIGRATION}/errors")).text.splitlines()]
    assert error["faults"][0]["code"] == "to-relabel"


async def test_a_project_that_cannot_follow_keeps_its_labels_and_the_job_says_why():
    world = MigrationWorld()
    await world.label(0, "duck")
    world.change()

    fault = {"pointer": "/fields/animal", "code": "contradiction", "message": "No."}
    await world.migrate(bound=False, faults=[fault])

    assert await world.animals() == {"sample-0": ["duck"]}
    job = await world.job()
    assert (job["state"], job["total"]) == ("done", 0)
    assert job["result"]["projects"]["support"]["faults"] == [fault]


async def test_a_migration_without_projects_is_done_at_once():
    world = MigrationWorld()

    await world.receive(a_migration_requested(projects=[]))
    await world.settle()

    assert (await world.job())["state"] == "done"


async def test_what_is_told_before_the_request_waits_for_it():
    world = MigrationWorld()
    await world.label(0, "duck")
    world.change()

    await world.receive(a_project_rebound())
    await world.receive(a_migration_requested())
    await world.settle()

    assert await world.animals() == {"sample-0": ["duck", "goose"]}


async def test_a_label_that_changes_between_look_up_and_step_is_looked_up_again():
    world = MigrationWorld()
    await world.label(0, "duck")
    world.change()
    due = a_label_migration_due(external_id="sample-0", sample_id=world.of(0).sample_id, line=0)

    later = a_label_finalized(fields={"animal": "cat"}, external_id="sample-0")
    await world.receive(later, due)  # one batch: the fields are looked up before any step is taken
    await world.settle()

    assert await world.animals() == {"sample-0": ["duck", "cat"]}


async def test_everything_delivered_again_changes_nothing():
    world = MigrationWorld()
    for number, animal in enumerate(["duck", "cat", "duck"]):
        await world.label(number, animal)
    world.change()
    await world.migrate()
    world.change_back()
    await world.migrate()
    before, jobs = await world.animals(), [await world.job(), await world.job(ROLLBACK)]
    ids = {each.event_id for each in world.announced.events}

    await world.receive_all_again()
    await world.settle()

    assert await world.animals() == before
    assert [await world.job(), await world.job(ROLLBACK)] == jobs
    assert {each.event_id for each in world.announced.events} == ids


async def test_a_label_that_a_replica_behind_the_news_recorded_is_found_and_sent_after_the_migration():
    world = MigrationWorld()
    await world.receive(a_migration_scanned(lines=0))  # another replica has done all of it
    await world.label(0, "duck")  # recorded before this replica has read of the migration, behind its search
    world.change()

    assert await world.send_stragglers() == 1
    assert await world.animals() == {"sample-0": ["duck", "goose"]}
    assert await world.send_stragglers() == 0


async def test_while_a_migration_is_running_its_labels_are_left_to_it():
    world = MigrationWorld()
    await world.label(0, "duck")
    world.change()
    await world.receive(a_migration_requested())

    assert await world.send_stragglers() == 0


async def test_a_label_that_was_migrated_after_the_rollback_is_found_and_taken_back():
    world = MigrationWorld()
    await world.receive(a_migration_scanned(lines=0), a_migration_scanned(lines=0, job_id=ROLLBACK))
    await world.label(0, "duck")
    world.change()
    world.change_back()
    late = a_label_migration_due(sample_id=world.of(0).sample_id)
    await world.receive(late)
    assert await world.animals() == {"sample-0": ["duck", "goose"]}

    assert await world.send_stragglers() == 1
    assert await world.animals() == {"sample-0": ["duck", "goose", "duck"]}
    assert await world.send_stragglers() == 0


async def test_a_label_that_has_to_be_labeled_anew_is_not_looked_for_again_and_again():
    world = MigrationWorld()
    await world.label(0, "owl")
    world.change(SPLIT, {"op": "merge", "labels": ["duck"], "into": "goose"})
    await world.migrate()

    assert await world.send_stragglers() == 0


async def test_what_a_change_would_concern_is_counted_by_project():
    world = MigrationWorld()
    for number, animal in enumerate(["duck", "cat", "duck", "owl"]):
        await world.label(number, animal)
    wanted = {"projects": ["support", "other"], "groups": {"migrated": ["duck", "owl"], "kept": ["dog"]}}

    async with world.asking() as client:
        counted = (await client.post("/taxonomies/animals/impact", json=wanted)).json()["projects"]
    async with world.asking(tenant="elsewhere") as stranger:
        theirs = (await stranger.post("/taxonomies/animals/impact", json=wanted)).json()["projects"]

    assert counted["support"]["groups"] == {"migrated": 3, "kept": 0}
    assert counted["support"]["labels"] == {"duck": 2, "owl": 1, "dog": 0}
    assert counted["other"]["groups"] == theirs["support"]["groups"] == {"migrated": 0, "kept": 0}


async def test_another_tenants_job_is_not_found():
    world = MigrationWorld()
    await world.receive(a_migration_requested())

    async with world.asking(tenant="elsewhere") as client:
        answers = [await client.get(f"/jobs/{MIGRATION}{end}") for end in ("", "/errors")]

    assert [answer.status_code for answer in answers] == [404, 404]


animals = st.sampled_from(["duck", "goose", "cat", "owl"])


@settings(max_examples=40, deadline=None)
@given(
    before=st.lists(animals, min_size=1, max_size=6),
    late=st.lists(animals, max_size=3),
    chunk=st.integers(1, 4),
    again=st.sets(st.integers(0, 60)),
)
async def test_migrated_and_rolled_back_every_label_is_what_it_was(
    before: list[str], late: list[str], chunk: int, again: set[int]
):
    """Whatever comes before and after the migration, in chunks of any size, and with any of its steps told twice."""
    world = MigrationWorld(chunk)
    for number, animal in enumerate(before):
        await world.label(number, animal)
    world.change()
    await world.migrate()
    for number, animal in enumerate(late, len(before)):
        await world.label(number, animal, version=1)
    assert "duck" not in {revisions[-1] for revisions in (await world.animals()).values()}

    told = [event for place, event in enumerate(world.announced.events) if place in again]
    world.change_back()
    await world.migrate()
    await world.receive(*[event for event in told if not isinstance(event, LabelRecorded) and _is_own(event)])
    await world.settle()
    while await world.send_stragglers():
        pass

    newest = [revisions[-1] for revisions in (await world.animals()).values()]
    assert newest == [*before, *late]


def _is_own(event: Any) -> bool:
    return type(event).consumers == {"annotation_store"}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_projects_may_be_bound_in_any_order(order: tuple[int, ...]):
    world = MigrationWorld()
    await world.label(0, "duck")
    world.change()
    events = [
        a_migration_requested(projects=["aside", "support"]),
        a_project_rebound(project_id="aside", project_version=3, bound=False),
        a_project_rebound(),
    ]

    for place in order:
        await world.receive(events[place])
    await world.settle()

    assert await world.animals() == {"sample-0": ["duck", "goose"]}
    assert (await world.job())["state"] == "done"
