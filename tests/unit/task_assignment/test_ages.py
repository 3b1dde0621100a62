"""How deep the queues are and how old, as it is shown to those who run an installation."""

from __future__ import annotations

from prometheus_client import REGISTRY

from services.task_assignment.domain.ages import MOST_LANGUAGES, MOST_QUEUES, OTHERS, Queue, Waiting, bounded
from services.task_assignment.domain.erasing import erase
from tests.builders import PROJECT, TENANT, a_catalog, a_project_versioned, a_sample_erased, a_sample_ingested
from tests.unit.task_assignment.test_board import a_board
from tests.unit.task_assignment.test_tasks import a_sample
from tests.unit.task_assignment.work_under_test import WorkUnderTest, a_work_catalog

OF_PROJECT = {"tenant": TENANT, "project": PROJECT, "stage": "first_pass"}


def shown(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"labelmesh_task_assignment_{name}", labels)


def test_the_least_deep_languages_and_queues_are_summed():
    languages = {Queue("t", "p", "first_pass", f"l{number:02}"): Waiting(100 - number, number) for number in range(30)}
    projects = {Queue("t", f"p{number}", "first_pass", "en"): Waiting(1, 7) for number in range(2 * MOST_QUEUES)}

    few, many = bounded(languages), bounded(languages | projects)

    assert len(few) == MOST_LANGUAGES + 1
    assert few[Queue("t", "p", "first_pass", OTHERS)] == Waiting(sum(100 - number for number in range(20, 30)), 20)
    assert len(many) == MOST_QUEUES + 1
    assert sum(each.slots for each in many.values()) == sum(each.slots for each in {**languages, **projects}.values())
    assert many[Queue("t", "p", "first_pass", "l00")] == Waiting(100, 0)


def test_an_erased_sample_waits_no_more():
    sample = a_sample(overlap=2).model_copy(update={"created_ms": 3_000_000})
    board = a_board(sample)
    assert [each.slots for each in board.waiting().values()] == [2]

    grave = erase(sample, a_sample_erased(sample_id=sample.sample_id), sample.partition).state
    assert grave is not None
    board.put(grave, revision=2)

    assert board.waiting() == {}


async def test_projects_of_one_name_in_two_tenants_are_shown_apart():
    catalog = await a_catalog(a_project_versioned(), a_project_versioned(tenant_id="globex"))
    work = WorkUnderTest(catalog)
    for tenant, count in ((TENANT, 1), ("globex", 2)):
        for number in range(count):
            work.log.append(a_sample_ingested(tenant_id=tenant, sample_id=f"{tenant}-{number}", language="fr"))
    await work.start()
    await work.fold()

    await work.replicas[0].keeper.measure()

    ours, theirs = (
        shown("ready_slots", **OF_PROJECT | {"tenant": each, "language": "fr"}) for each in (TENANT, "globex")
    )
    await work.stop()
    assert ours is not None and theirs == 2 * ours


async def test_depth_age_and_late_leases_are_shown_and_what_is_done_is_not_shown_any_more():
    work = WorkUnderTest(await a_work_catalog(overlap=2))
    work.log.append(a_sample_ingested(language="de"))
    await work.start()
    await work.fold()
    keeper, queue = work.replicas[0].keeper, {**OF_PROJECT, "language": "de"}
    held = OF_PROJECT

    await work.claim("ana")
    await keeper.measure()
    first = [shown("ready_slots", **queue), shown("leases_held", **held), shown("leases_late")]
    age = shown("oldest_ready_age_seconds", **queue)
    await work.claim("bo")
    work.clock.advance(61)
    await keeper.measure()
    then = [shown("ready_slots", **queue), shown("leases_held", **held), shown("leases_late")]

    await work.stop()
    assert first == [1, 1, 0]
    assert age is not None and age >= 0
    assert then == [None, 2, 2]
