"""In which order work is given out, and to whom it is not."""

from __future__ import annotations

from typing import Any

from services.task_assignment.domain.board import Board
from services.task_assignment.domain.packed import pack, sums_of
from services.task_assignment.domain.picks import Empty, Pick
from services.task_assignment.domain.ready import Seeker, Serving
from services.task_assignment.domain.tasks import SampleTasks, on_qa_work_requested
from shared.ids import sample_id_of
from tests.builders import a_qa_work_requested
from tests.unit.task_assignment.tallied import counts_on
from tests.unit.task_assignment.test_tasks import a_sample, leased

PARTITION = 3


def a_board(*samples: SampleTasks) -> Board:
    board = Board()
    board.own([PARTITION])
    for sample in samples:
        board.put(sample, revision=1)
    return board


def a_seeker(annotator: str = "ana", **changes: Any) -> Seeker:
    tenant = a_sample().tenant_id
    seeker = Seeker(annotator, tenant, frozenset({"first_pass"}), projects=None, languages=frozenset())
    return seeker._replace(**changes)


def sample_of(pick: Pick | Empty) -> str:
    assert isinstance(pick, Pick), pick
    return pick.document_id.split("/")[-1]


def test_higher_priority_comes_first_then_what_is_older():
    old = a_sample(sample_id="old").model_copy(update={"created_ms": 1})
    new = a_sample(sample_id="new").model_copy(update={"created_ms": 2})
    urgent = a_sample(sample_id="urgent").model_copy(update={"created_ms": 3, "priority": 9})
    board = a_board(new, urgent, old)

    order = [sample_of(board.pick(a_seeker(who))) for who in ("a", "b", "c", "d", "e", "f")]

    assert order == ["urgent", "urgent", "old", "old", "new", "new"]


def test_partly_filled_tasks_are_finished_before_others_are_begun():
    begun = leased(a_sample(sample_id="begun"), "0", "bo", "l1").model_copy(update={"created_ms": 2})
    fresh = a_sample(sample_id="fresh").model_copy(update={"created_ms": 1})

    pick = a_board(fresh, begun).pick(a_seeker())

    assert sample_of(pick) == "begun"


def test_nobody_gets_a_task_twice_and_the_answer_says_why_there_is_nothing():
    board = a_board(leased(a_sample(), "0", "ana", "l1"))

    assert board.pick(a_seeker("ana")) == Empty("all-done-by-you", 1)
    assert isinstance(board.pick(a_seeker("bo")), Pick)
    assert board.pick(a_seeker("chi")) == Empty("no-open-tasks", 0)


def test_a_slot_that_somebody_is_about_to_get_is_not_offered_to_others():
    board = a_board(a_sample(overlap=1))
    pick = board.pick(a_seeker("ana"))

    assert isinstance(board.pick(a_seeker("bo")), Empty)

    assert isinstance(pick, Pick)
    board.done_with(pick)  # the compare-and-set failed
    assert isinstance(board.pick(a_seeker("bo")), Pick)


def test_who_worked_on_a_sample_does_not_review_it():
    sample = a_sample().model_copy(update={"contributors": ["ana"]})
    asked = on_qa_work_requested(sample, a_qa_work_requested(stage="peer_review", slots=1)).state
    assert asked is not None
    board = a_board(asked)
    reviews = frozenset({"peer_review"})

    assert isinstance(board.pick(a_seeker("ana", stages=reviews)), Empty)
    assert isinstance(board.pick(a_seeker("bo", stages=reviews)), Pick)


def test_who_has_seen_what_there_is_to_judge_makes_no_label_beside_it():
    asked = on_qa_work_requested(a_sample(), a_qa_work_requested(stage="adjudication", slots=1)).state
    assert asked is not None
    given_back = asked.model_copy(update={"contributors": ["ana"], "reviewers": ["ana"]})
    from_before_the_list = leased(asked, "0", "ana", "l1", key="adjudication-1")

    assert isinstance(a_board(given_back).pick(a_seeker("ana")), Empty)
    assert isinstance(a_board(from_before_the_list).pick(a_seeker("ana")), Empty)
    assert isinstance(a_board(given_back).pick(a_seeker("bo")), Pick)


def test_languages_projects_and_paused_projects_are_filters():
    board = a_board(a_sample(language="de", project_id="clinic"))

    assert isinstance(board.pick(a_seeker(languages=frozenset({"en"}))), Empty)
    assert isinstance(board.pick(a_seeker(projects=frozenset({"shop"}))), Empty)
    assert isinstance(board.pick(a_seeker(inactive=frozenset({"clinic"}))), Empty)
    assert isinstance(board.pick(a_seeker(tenant_id="another")), Empty)
    assert isinstance(board.pick(a_seeker(languages=frozenset({"de"}), projects=frozenset({"clinic"}))), Pick)


def test_an_older_copy_of_a_sample_changes_nothing():
    board = a_board()
    now = leased(a_sample(overlap=1), "0", "bo", "l1")
    board.put(now, revision=5)

    board.put(a_sample(overlap=1), revision=4)

    assert isinstance(board.pick(a_seeker()), Empty)


def test_the_board_knows_of_which_revision_its_samples_are():
    sample = a_sample()
    board = a_board(sample)
    id_ = f"{sample.tenant_id}/{sample.sample_id}"

    assert board.revision(id_, PARTITION) == 1
    assert board.revision(f"{sample.tenant_id}/unheard-of", PARTITION) == 0


def test_what_is_ready_is_told_as_none_once_the_last_slot_is_taken():
    board = a_board(a_sample(overlap=1))

    board.put(leased(a_sample(overlap=1), "0", "ana", "l1"), revision=2)

    assert board.waiting() == {}


def test_leases_end_once_and_only_those_that_still_stand():
    sample = leased(leased(a_sample(), "0", "ana", "l1"), "1", "bo", "l2")
    board = a_board(sample)
    task = sample.tasks["first_pass-1"]
    answered = task.model_copy(
        update={"slots": task.slots | {"1": task.slots["1"].model_copy(update={"state": "done"})}}
    )
    board.put(sample.with_task("first_pass-1", answered), revision=2)

    assert list(board.ended(PARTITION, before_ms=1_000_000)) == []
    assert [due.lease_id for due in board.ended(PARTITION, before_ms=1_000_001)] == ["l1"]
    assert list(board.ended(PARTITION, before_ms=1_000_001)) == []


def test_counts_follow_the_samples_and_go_with_their_partition():
    board = a_board(a_sample(overlap=2))
    [counts] = counts_on(board).values()
    assert counts["samples.open"] == 1
    assert counts["slots.first_pass.free"] == 2

    board.put(leased(a_sample(overlap=2), "0", "ana", "l1"), revision=2)
    [counts] = counts_on(board).values()
    assert (counts["slots.first_pass.free"], counts["slots.first_pass.leased"]) == (1, 1)
    assert [waiting.slots for waiting in board.waiting().values()] == [1]

    board.disown([PARTITION])
    assert counts_on(board) == {}
    assert isinstance(board.pick(a_seeker()), Empty)


def test_one_is_drawn_from_behind_those_of_higher_priority_that_somebody_may_not_take():
    urgent = [a_sample(sample_id=f"urgent-{number}").model_copy(update={"priority": 1}) for number in range(2)]
    board = a_board(*urgent, a_sample(sample_id="usual"))
    at_random = a_seeker(serving={a_sample().project_id: Serving(random_within=2)})

    pick = board.pick(at_random, {sample.tasks["first_pass-1"].task_id for sample in urgent})

    assert sample_of(pick) == "usual"


def test_a_sample_of_which_something_older_was_told_before_its_image_came_is_served_as_the_image_has_it():
    usual, was_urgent, done = (a_sample(sample_id=sample_id_of("t", "p", name)) for name in ("usual", "urgent", "done"))
    board = a_board(was_urgent.model_copy(update={"priority": 9}), done)
    owner = Board()
    owner.own([PARTITION])
    owner.put(usual, revision=2)
    owner.put(was_urgent.model_copy(update={"priority": -1}), revision=2)
    owner.put(done.model_copy(update={"tasks": {}, "finalized": 1}), revision=2)
    run = pack(owner.shelf.snapshot(PARTITION)).run

    board.take_in(PARTITION, run, sums_of(run))

    order = [sample_of(board.pick(a_seeker(who))) for who in ("a", "b", "c", "d")]
    assert order == [usual.sample_id] * 2 + [was_urgent.sample_id] * 2
    assert isinstance(board.pick(a_seeker("e")), Empty)


def test_a_task_that_is_written_often_stands_in_the_queue_once():
    board = a_board()
    for revision in range(1, 50):
        board.put(a_sample(overlap=3).model_copy(update={"finalized": revision}), revision)

    picks = [board.pick(a_seeker(f"annotator-{number}")) for number in range(4)]

    assert [isinstance(pick, Pick) for pick in picks] == [True, True, True, False]
