"""Who is kept from work, by which bound, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.task_assignment.domain.eligibility import (
    Given,
    barred,
    barred_from_project,
    group_of,
    is_diverse,
    limits_anybody,
    most_of_a_group,
    until_open,
)
from services.task_assignment.domain.tasks import Slot
from shared.labels.policies import AssignmentPolicy, DiversityPolicy, WorkingHours
from tests.builders import an_annotator_profile
from tests.unit.task_assignment.test_tasks import a_sample

THURSDAY_NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
OFFICE = WorkingHours(zone="Europe/Berlin", days=("mon", "tue", "wed", "thu", "fri"), start="09:00", end="17:00")
NIGHT = WorkingHours(zone="UTC", days=("thu",), start="22:00", end="06:00")


def why(**policy: Any) -> str | None:
    known: dict[str, Any] = {"given": Given(10, 3), "held": 2, "samples": 100, "profile": None}
    asked = {name: policy.pop(name, default) for name, default in known.items()}
    bar = barred_from_project(
        AssignmentPolicy(**policy), asked["profile"], asked["given"], asked["held"], asked["samples"], THURSDAY_NOON
    )
    return None if bar is None else bar.reason


@pytest.mark.parametrize(
    ("hours", "now", "wait"),
    [
        (OFFICE, THURSDAY_NOON, None),
        (OFFICE, THURSDAY_NOON.replace(hour=7, minute=59), timedelta(minutes=1)),
        (OFFICE, THURSDAY_NOON.replace(hour=16), timedelta(hours=16)),
        (OFFICE, THURSDAY_NOON.replace(day=27, hour=16), timedelta(days=2, hours=16)),
        (NIGHT, THURSDAY_NOON, timedelta(hours=10)),
        (NIGHT, THURSDAY_NOON.replace(hour=23), None),
        (NIGHT, THURSDAY_NOON.replace(day=27, hour=5, minute=59), None),
        (NIGHT, THURSDAY_NOON.replace(day=27, hour=6), timedelta(days=6, hours=16)),
        (None, THURSDAY_NOON, None),
    ],
)
def test_hours_of_work_are_of_their_zone_and_may_go_past_midnight(
    hours: WorkingHours | None, now: datetime, wait: timedelta | None
):
    assert until_open(hours, now) == wait


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    st.sampled_from([OFFICE, NIGHT, WorkingHours(zone="America/New_York", days=("sun",), start="01:30", end="03:30")]),
)
def test_whoever_waits_as_long_as_they_are_told_finds_work_open(now: datetime, hours: WorkingHours):
    wait = until_open(hours, now)

    assert wait is None or (wait > timedelta(0) and until_open(hours, now + wait) is None)


def test_each_bound_of_a_project_keeps_those_from_it_who_have_reached_it_and_nobody_else():
    radiologist = an_annotator_profile(skills={"radiology": 4})

    assert why() is None
    assert why(max_held=2) == "project-lease-limit"
    assert why(max_held=3) is None
    assert why(max_per_day=3) == "project-daily-cap"
    assert why(max_per_day=4) is None
    assert why(max_in_project=10) == "project-cap"
    assert why(max_share=0.1) == "project-share"
    assert why(max_share=0.11) is None
    assert why(max_share=0.01, given=Given(0, 0), samples=3) is None
    assert why(skills={"radiology": 4}) == "skills-missing"
    assert why(skills={"radiology": 5}, profile=radiologist) == "skills-missing"
    assert why(skills={"radiology": 4}, profile=radiologist) is None
    assert why(working_hours=NIGHT) == "project-outside-working-hours"


def test_a_profile_keeps_its_person_from_all_work():
    def of(**profile: Any) -> tuple[str, timedelta] | None:
        return barred(an_annotator_profile(**profile), 5, THURSDAY_NOON)

    assert of() is None and barred(None, 5, THURSDAY_NOON) is None
    assert of(max_per_day=6) is None
    for profile, reason in (
        ({"paused": True}, "paused"),
        ({"banned": True}, "banned"),
        ({"working_hours": NIGHT}, "outside-your-working-hours"),
        ({"max_per_day": 5}, "your-daily-cap"),
    ):
        found = of(**profile)
        assert found is not None and found[0] == reason
    found = of(max_per_day=5)
    assert found is not None and found[1] == timedelta(hours=12)


def test_a_profile_with_hours_that_mean_nothing_is_refused():
    with pytest.raises(ValueError, match="not an IANA time zone"):
        an_annotator_profile(working_hours={"zone": "Europe/Atlantis"})


def test_a_policy_without_bounds_limits_nobody():
    assert not limits_anybody(AssignmentPolicy())
    assert limits_anybody(AssignmentPolicy(skills={"radiology": 1}))
    assert limits_anybody(AssignmentPolicy(max_share=1.0))


def test_a_group_gives_its_share_of_a_samples_labels_and_at_least_one():
    diversity = DiversityPolicy(by="region", max_share=0.5)
    sample = a_sample(overlap=4)
    task = sample.tasks["first_pass-1"]
    taken = task.model_copy(update={"slots": task.slots | {"0": Slot(state="done", group="eu")}})

    assert most_of_a_group(diversity, 4) == 2
    assert most_of_a_group(diversity, 1) == 1
    assert group_of(an_annotator_profile(region="eu", team="a"), diversity) == "eu"
    assert group_of(None, diversity) is None is group_of(an_annotator_profile(region="eu"), None)
    assert is_diverse(taken, "eu", 2)
    assert not is_diverse(taken, "eu", 1)
    assert is_diverse(taken, "us", 1)
    assert is_diverse(taken, None, 1)
