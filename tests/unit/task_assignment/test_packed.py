"""A run finds, serves and adds up what was packed in it, and its image is the same run."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.task_assignment.domain.image import FORMAT, Image, from_bytes, to_bytes
from services.task_assignment.domain.kept import Brief, Fresh, Scope, counted, fresh_of
from services.task_assignment.domain.packed import Cursor, Loose, PackedRun, Snapshot, pack, queue_of, sums_of
from services.task_assignment.domain.ready import order_of
from shared.ids import sample_id_of
from tests.unit.task_assignment.test_tasks import a_sample

COUNTS = (("samples.open", 1),)
ID = sample_id_of("t", "p", "s")


def a_brief(tenant: str = "t", revision: int = 1, priority: int = 0, language: str | None = None) -> Brief:
    return Brief(Scope(tenant, "p", 3), revision, COUNTS, Fresh(1, language, priority, "first_pass", ("0", "1")))


def a_run(loose: dict[str, Loose], before: PackedRun | None = None) -> PackedRun:
    return pack(Snapshot(before, b"" if before is None else bytes(before.superseded), loose)).run


briefs = st.builds(
    a_brief, st.sampled_from(["t", "u"]), st.integers(1, 2), st.integers(-1, 1), st.sampled_from([None, "en"])
)
times = st.integers(0, 5).map(lambda minutes: minutes * 40_000)
some_loose = st.dictionaries(
    st.integers(0, 30).map(lambda number: str(UUID(int=number << 60))), st.builds(Loose, briefs, times, times)
).map(lambda found: {f"{loose.brief.scope.tenant_id}/{id_}": loose for id_, loose in found.items()})


@given(some_loose, some_loose, st.data())
def test_what_was_packed_in_two_steps_is_found_served_in_order_and_added_up(
    first: dict[str, Loose], second: dict[str, Loose], data: st.DataObject
):
    run = a_run(first)
    changed = set(data.draw(st.lists(st.sampled_from(sorted(first))))) if first else set()
    for id_ in [*changed, *second]:
        run.supersede(id_)

    run = from_bytes(to_bytes(Image(a_run(second, run), ()))).run

    expected = {id_: loose for id_, loose in first.items() if id_ not in changed} | second
    assert {id_: run.brief(id_) for id_ in {*first, *second}} == {
        id_: expected[id_].brief if id_ in expected else None for id_ in {*first, *second}
    }
    for name in run.queues:
        cursor = Cursor(run, name)
        entries = list(iter(cursor.next, None))
        assert entries == sorted(
            (order_of(brief.fresh.priority, created, due), id_, "first_pass-1")
            for id_, (brief, created, due) in expected.items()
            if brief.fresh is not None and queue_of(brief, due) == name
        )
    assert sum(len(order) for order in run.queues.values()) == len(run) == len(expected)
    sums = sums_of(run)
    assert sums.kinds == Counter(loose.brief for loose in expected.values())
    assert sums.minutes == Counter((loose.brief, loose.created_ms // 60_000) for loose in expected.values())
    assert set(run.kinds) == set(sums.kinds), "kinds of which there is no sample any more are dropped"


def test_samples_of_two_tenants_that_have_one_id_are_two():
    run = a_run({f"{tenant}/{ID}": Loose(a_brief(tenant, revision), 1, 0) for revision, tenant in enumerate("tu")})

    run.supersede(f"t/{ID}")

    assert run.brief(f"t/{ID}") is None
    assert run.brief(f"u/{ID}") == a_brief("u", 1)
    assert run.brief(f"v/{ID}") is None


@pytest.mark.parametrize(
    "look_alike",
    [
        "",
        "s1",
        ID.upper(),
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"{ID[:-2]}_1",
        f"0x{ID[2:]}",
        f"-{ID[1:]}",
        f"x{ID}",
        "é" * 36,
    ],
)
def test_an_id_that_only_looks_like_a_uuid_is_not_packed_and_finds_none(look_alike: str):
    packed = pack(Snapshot(None, b"", {f"t/{look_alike}": Loose(a_brief(), 1, 0)}))
    run = a_run({f"t/{ID}": Loose(a_brief(), 1, 0)})

    assert not packed.loose
    assert len(packed.run) == 0
    assert run.find(f"t/{look_alike}") is None


def test_what_an_image_says_of_samples_has_not_changed_its_meaning_under_the_same_format():
    """Where this fails, FORMAT has to change with it: an image of before would be believed to say what it says now."""
    untouched, overdue = a_sample(), a_sample(due_at=datetime(2026, 1, 2, tzinfo=UTC))
    done = untouched.model_copy(update={"tasks": {}, "finalized": 1})

    told = [(counted(each), fresh_of(each)) for each in (untouched, overdue, done)]

    counts = (
        ("finalizations", 0),
        ("languages.en", 1),
        ("leases.expired", 0),
        ("samples.open", 1),
        ("slots.first_pass.free", 2),
        ("tasks.first_pass.open", 1),
    )
    fresh = Fresh(1, "en", 0, "first_pass", ("0", "1"))
    assert FORMAT.startswith("1-")
    assert told == [
        (counts, fresh),
        (counts, fresh._replace(due_ms=overdue.due_ms)),
        ((("finalizations", 1), ("languages.en", 1), ("samples.final", 1)), None),
    ]
