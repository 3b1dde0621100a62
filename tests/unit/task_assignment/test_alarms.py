"""What is told of due dates: once each time, before it is too late, and not again for a figure that trembles."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.task_assignment.domain.alarms import CALM_MS, Alarms, looked_at
from services.task_assignment.domain.due_book import DueWork
from services.task_assignment.domain.outlook import SKEW_MS, Outlook, outlook_of
from services.task_assignment.domain.pace import Pace
from shared.events.sla import SlaAtRisk, SlaBreached, SlaEvent, SlaRecovered
from tests.builders import PROJECT, TENANT

NOW = 1_795_507_200_000
MINUTE, HOUR = 60_000, 3_600_000


def look(alarms: Alarms, at_ms: int, *outlooks: Outlook) -> Alarms:
    return looked_at(alarms, outlooks, at_ms, TENANT, PROJECT)


def an_outlook(**changes: object) -> Outlook:
    known = {"stage": "first_pass", "remaining": 10, "seen": None, "due": 5, "next_due_ms": NOW + HOUR}
    return Outlook(**(known | changes))


def told(alarms: Alarms) -> list[tuple[type[SlaEvent], str, int]]:
    return [(type(event), event.cause, event.episode) for event in alarms.events()]


def test_a_breach_is_told_once_and_ends_when_it_has_been_calm_for_a_while():
    late, well = an_outlook(overdue=2), an_outlook()

    first = look(Alarms(), NOW, late)
    again = look(first, NOW + 1_000, late)
    calm = look(again, NOW + 2_000, well)
    back = look(calm, NOW + 3_000, late)
    calm_again = look(back, NOW + 4_000, well)
    over = look(calm_again, NOW + 4_000 + CALM_MS, well)
    anew = look(over, NOW + 5_000 + CALM_MS, late)

    assert told(first) == [(SlaBreached, "due", 1)]
    assert told(again) == told(calm) == told(back) == told(calm_again) == []
    assert told(over) == [(SlaRecovered, "due", 1)]
    assert told(anew) == [(SlaBreached, "due", 2)]
    assert over.is_quiet is False and look(over, NOW + 5_000 + CALM_MS, well).is_quiet


@pytest.mark.parametrize(
    ("probability", "is_told"), [(0.49, False), (0.5, True), (1.0, True), (None, False), (0.0, False)]
)
def test_a_forecast_warns_when_a_miss_is_more_probable_than_not(probability: float | None, is_told: bool):
    alarms = look(Alarms(), NOW, an_outlook(miss_probability=probability))

    assert told(alarms) == ([(SlaAtRisk, "forecast", 1)] if is_told else [])


@settings(deadline=None)
@given(st.lists(st.floats(0.2, 1), max_size=30))
def test_a_probability_that_trembles_above_the_lower_bound_is_one_episode(probabilities: list[float]):
    alarms = look(Alarms(), NOW, an_outlook(miss_probability=0.6))
    for number, probability in enumerate(probabilities, start=1):
        alarms = look(alarms, NOW + number * CALM_MS, an_outlook(miss_probability=probability))
        assert told(alarms) == []

    assert alarms.raised("first_pass") == ["forecast"]


outlooks = st.builds(
    an_outlook,
    overdue=st.integers(0, 2),
    soon=st.integers(0, 2),
    miss_probability=st.one_of(st.none(), st.floats(0, 1)),
    stage=st.sampled_from(["first_pass", "adjudication"]),
)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(outlooks, max_size=2, unique_by=lambda each: each.stage), st.integers(1, 60)), max_size=20
    )
)
def test_every_episode_has_one_beginning_and_then_one_end_and_ids_of_their_own(looks):
    alarms, now, events = Alarms(), NOW, []
    for seen, seconds in looks:
        now += seconds * 1_000
        alarms = look(alarms, now, *seen)
        events += alarms.events()

    by_episode: dict[tuple[str, str, int], list[bool]] = {}
    for event in events:
        by_episode.setdefault((event.stage, event.cause, event.episode), []).append(isinstance(event, SlaRecovered))
    assert all(kinds in ([False], [False, True]) for kinds in by_episode.values())
    assert len({event.event_id for event in events}) == len(events)


@settings(deadline=None)
@given(st.lists(st.tuples(outlooks, st.integers(1, 60)), max_size=10))
def test_whoever_looks_at_the_same_tells_the_same_under_the_same_ids(looks):
    one, other, now = Alarms(), Alarms(), NOW
    for seen, seconds in looks:
        now += seconds * 1_000
        one, other = look(one, now, seen), look(other, now, seen)

        assert one == other


def test_a_stage_without_open_work_has_no_reason_for_alarm():
    alarms = look(Alarms(), NOW, an_outlook(overdue=1, soon=1, miss_probability=0.9))
    calm = look(alarms, NOW + 1_000)

    assert told(look(calm, NOW + 1_000 + CALM_MS)) == [
        (SlaRecovered, cause, 1) for cause in ("remaining", "forecast", "due")
    ]


# --- what they are told of --------------------------------------------------------------------------------------------


def a_pace(answers: int, minutes: int) -> Pace:
    pace = Pace(NOW - minutes * MINUTE)
    for number in range(answers):
        pace = pace.plus(1, NOW - minutes * MINUTE + number * minutes * MINUTE // answers)
    return pace


def an_outlook_on(*due: tuple[int, int], pace: Pace | None = None, warn_ms: int | None = None) -> Outlook:
    work = [DueWork("first_pass", NOW + after_ms, 1, slots) for after_ms, slots in due]
    return outlook_of("first_pass", sum(slots for _, slots in due), work, pace, NOW, warn_ms)


def test_what_is_due_first_is_counted_first():
    pace = a_pace(60, 60)  # one a minute

    outlook = an_outlook_on((90 * MINUTE, 60), (100 * MINUTE, 60), (10 * HOUR, 60), pace=pace)

    assert (outlook.due, outlook.overdue, outlook.projected) == (3, 0, 1)
    assert outlook.burn == pytest.approx(1 / 3)
    assert outlook.miss_probability == pytest.approx(0.86, abs=0.1)
    assert outlook.finish_ms == pytest.approx(NOW + 180 * MINUTE, abs=10 * MINUTE)
    assert outlook.earliest_ms < outlook.finish_ms < outlook.latest_ms


def test_a_clock_that_is_two_seconds_ahead_finds_nothing_overdue_that_is_not():
    ahead = SKEW_MS

    assert an_outlook_on((-ahead + 1, 1)).overdue == 0
    assert an_outlook_on((-ahead, 1)).overdue == 1


def test_work_is_soon_within_the_time_of_warning_and_then_overdue():
    outlook = an_outlook_on((-HOUR, 1), (HOUR, 1), (3 * HOUR, 1), warn_ms=2 * HOUR)

    assert (outlook.overdue, outlook.soon, outlook.due, outlook.next_due_ms) == (1, 1, 3, NOW + HOUR)


def test_nothing_is_forecast_from_too_little():
    outlook = an_outlook_on((HOUR, 1000), pace=a_pace(2, 60))

    assert (outlook.finish_ms, outlook.miss_probability, outlook.projected) == (None, None, 0)
