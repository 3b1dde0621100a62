"""Who may take which task: rules as pure functions of values, the same for the board that picks and for the guard.

The board asks them of its copy of a sample. The store's compare-and-set has the exact ones as conditions
(``services/task_assignment/store.py``), for the copy may be old.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from services.task_assignment.domain.tasks import SampleTasks, Task
from shared.events.tasks import AnnotatorProfile, judges_others
from shared.labels.policies import WEEKDAYS, AssignmentPolicy, DiversityPolicy, WorkingHours

Reason = Literal[
    "paused",
    "banned",
    "outside-your-working-hours",
    "your-daily-cap",
    "project-outside-working-hours",
    "skills-missing",
    "project-daily-cap",
    "project-cap",
    "project-share",
    "project-lease-limit",
]
"""Why somebody gets no work at all, or none of a project."""

DEFAULT_MAX_LEASES: Final = 5
"""For whom nobody has declared a profile."""
SOON: Final = timedelta(seconds=2)
LATER: Final = timedelta(minutes=5)
"""When to ask again where somebody else has to change something first."""


class Barred(NamedTuple):
    """What keeps somebody from work, and when it is worth their while to ask again."""

    reason: Reason
    retry_after: timedelta


class Given(NamedTuple):
    """How much somebody has answered."""

    in_project: int = 0
    in_project_today: int = 0


def barred_from(sample: SampleTasks, task: Task) -> tuple[str, ...]:
    """Return those whose history with the sample does not let them take a slot of one of its tasks, sorted.

    Nobody is twice in a task, nor gets again what they skipped. Whoever judges others' work is new to the sample; and
    who has judged it, or has only seen what there is to judge, makes no label that others would judge beside it.
    """
    barred = {*task.annotators, *task.skipped}
    barred.update(sample.contributors if judges_others(task.stage) else sample.shown_to_judge)
    return tuple(sorted(barred))


def may_take(sample: SampleTasks, task: Task, annotator_id: str) -> bool:
    """Return whether a person's history with the sample lets them take a slot of one of its tasks."""
    return annotator_id not in barred_from(sample, task)


def group_of(profile: AnnotatorProfile | None, diversity: DiversityPolicy | None) -> str | None:
    """Return the group that somebody's labels count for; None where that is of no interest, or nobody has said."""
    if profile is None or diversity is None:
        return None
    return profile.team if diversity.by == "team" else profile.region


def is_diverse(task: Task, group: str | None, most: int) -> bool:
    """Return whether a task has room for one more label of a group. Whose group is not known is not held back.

    Args:
        task: The task as it stands.
        group: Of whoever would label.
        most: How many labels of one group a task may have.
    """
    if group is None or judges_others(task.stage):
        return True
    return sum(slot.group == group for slot in task.slots.values() if slot.state != "free") < most


def most_of_a_group(diversity: DiversityPolicy, overlap: int) -> int:
    """Return how many labels of one group a sample may have: its share of the overlap, and at least one."""
    return max(1, int(diversity.max_share * overlap))


def barred(profile: AnnotatorProfile | None, given_today: int, now: datetime) -> Barred | None:
    """Return what keeps somebody from any work, by their own profile.

    Args:
        profile: Theirs; None where nobody has declared one.
        given_today: Their answers of today, in all projects.
        now: The present.
    """
    if profile is None:
        return None
    if profile.banned or profile.paused:
        return Barred("banned" if profile.banned else "paused", LATER)
    if (wait := until_open(profile.working_hours, now)) is not None:
        return Barred("outside-your-working-hours", wait)
    if profile.max_per_day is not None and given_today >= profile.max_per_day:
        return Barred("your-daily-cap", _until_midnight(now))
    return None


def barred_from_project(
    policy: AssignmentPolicy,
    profile: AnnotatorProfile | None,
    given: Given,
    held: int,
    samples: int | None,
    now: datetime,
) -> Barred | None:
    """Return what keeps somebody from the work of one project, by its policy.

    Args:
        policy: The project's.
        profile: The person's; None where nobody has declared one: then they have no skills.
        given: What they have answered in the project.
        held: Their live leases of the project.
        samples: How many samples the project has; None where its policy has no use for it.
        now: The present.
    """
    if (wait := until_open(policy.working_hours, now)) is not None:
        return Barred("project-outside-working-hours", wait)
    if not has_skills(profile, policy):
        return Barred("skills-missing", LATER)
    if policy.max_held is not None and held >= policy.max_held:
        return Barred("project-lease-limit", SOON)
    if policy.max_per_day is not None and given.in_project_today >= policy.max_per_day:
        return Barred("project-daily-cap", _until_midnight(now))
    if policy.max_in_project is not None and given.in_project >= policy.max_in_project:
        return Barred("project-cap", LATER)
    # The first answer is always theirs to give: a share of few samples would else be none.
    if policy.max_share is not None and samples is not None and given.in_project >= max(1, policy.max_share * samples):
        return Barred("project-share", LATER)
    return None


def limits_anybody(policy: AssignmentPolicy) -> bool:
    """Return whether a policy can keep anybody from a project's work; most do not, and cost nothing then."""
    bounds = (policy.max_held, policy.max_per_day, policy.max_in_project, policy.max_share, policy.working_hours)
    return bool(policy.skills) or any(bound is not None for bound in bounds)


def until_open(hours: WorkingHours | None, now: datetime) -> timedelta | None:
    """Return how long it is until hours of work begin; None where they are now, or always.

    Hours that end before they begin end on the next day, and belong to the day on which they begin.
    """
    if hours is None:
        return None
    zone = ZoneInfo(hours.zone)
    today = now.astimezone(zone).date()
    starts, ends = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    for day in range(-1, 8):
        date = today + timedelta(days=day)
        if WEEKDAYS[date.weekday()] not in hours.days:
            continue
        first = datetime.combine(date, starts, zone).astimezone(UTC)
        last = datetime.combine(date + timedelta(days=ends <= starts), ends, zone).astimezone(UTC)
        if now < last:
            return None if first <= now else first - now
    return LATER


def most_leases(profile: AnnotatorProfile | None) -> int:
    """Return how many live leases somebody may hold."""
    return DEFAULT_MAX_LEASES if profile is None else profile.max_leases


def has_skills(profile: AnnotatorProfile | None, policy: AssignmentPolicy) -> bool:
    """Return whether somebody has the skills that a project asks for; for whom nobody has declared any, has none."""
    has = {} if profile is None else profile.skills
    return all(has.get(skill, 0) >= level for skill, level in policy.skills.items())


def _until_midnight(now: datetime) -> timedelta:
    today = now.astimezone(UTC)
    return today.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1) - today
