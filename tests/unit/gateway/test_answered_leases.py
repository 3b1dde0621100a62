"""What the gateway tells task assignment of answers that are in the log."""

from __future__ import annotations

from services.gateway.answered import KEPT_PER_PERSON, KEPT_SECONDS, AnsweredLeases
from shared.security import Principal
from tests.builders import TENANT


def a_principal(subject: str = "ana", tenant: str = TENANT) -> Principal:
    return Principal(tenant_id=tenant, subject=subject, roles=frozenset({"annotator"}))


def test_an_answer_is_told_until_task_assignment_has_heard_of_it():
    answered = AnsweredLeases()
    answered.note(a_principal(), "l1")
    answered.note(a_principal(), "l2")

    told = answered.of(a_principal())
    answered.note(a_principal(), "l3")  # while the claim was under way
    answered.forget(a_principal(), told)

    assert told == ("l1", "l2")
    assert answered.of(a_principal()) == ("l3",)


def test_nobody_is_told_of_anothers_answers():
    answered = AnsweredLeases()
    answered.note(a_principal("ana"), "l1")

    assert answered.of(a_principal("bo")) == ()
    assert answered.of(a_principal("ana", tenant="other")) == ()


def test_what_is_remembered_is_bounded_in_time_and_number():
    now = 0.0
    answered = AnsweredLeases(lambda: now)
    for number in range(KEPT_PER_PERSON + 1):
        answered.note(a_principal(), f"l{number}")

    kept = answered.of(a_principal())
    now = KEPT_SECONDS

    assert kept == tuple(f"l{number}" for number in range(1, KEPT_PER_PERSON + 1))
    assert answered.of(a_principal()) == ()
