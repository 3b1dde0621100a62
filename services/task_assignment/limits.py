"""What limits who gets how much: profiles' and projects' bounds, asked once for each claim."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

from services.task_assignment.domain.annotator import Answered
from services.task_assignment.domain.eligibility import (
    Barred,
    Given,
    barred,
    barred_from_project,
    group_of,
    limits_anybody,
    most_of_a_group,
)
from services.task_assignment.domain.ready import DEPTH_FIRST, Serving
from services.task_assignment.domain.tasks import key_of_task
from services.task_assignment.holdings import Held, Holdings
from services.task_assignment.store import Store, StoredSample
from shared.catalog import Catalog
from shared.events.tasks import AnnotatorProfile
from shared.ids import sample_of_task
from shared.labels.policies import AssignmentPolicy
from shared.labels.spec import ProjectSpec
from shared.security import Lease

POLICIES_SECONDS: Final = 1.0
"""How soon a new version of a project's policy is heeded."""
SAMPLES_SECONDS: Final = 30.0
"""How old the number of a project's samples may be."""


class Bounds(NamedTuple):
    """What one person gets none of, and for what groups their labels count."""

    person: Barred | None
    projects: Mapping[str, Barred]
    groups: Mapping[str, tuple[str | None, int]]
    """By project: the person's group, and how many labels of one group a sample may have."""
    most_held: Mapping[str, int]
    """By project: how many live leases one person may hold."""
    serving: Mapping[str, Serving]
    """By project whose tasks are not served depth first, each in its turn."""


@dataclass(slots=True)
class Limits:
    """Knows the policies of the projects that have any, and how many samples those have."""

    catalog: Catalog
    store: Store
    partitions: int
    _policies: dict[str, tuple[float, dict[str, ProjectSpec]]] = field(default_factory=dict)
    _samples: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict)

    async def prepare(self, tenants: Iterable[str]) -> None:
        """Learn how many samples there are in the projects whose policies ask for it."""
        for tenant in set(tenants):
            for project, spec in self._limited(tenant).items():
                if spec.assignment.max_share is None or self._is_fresh(tenant, project):
                    continue
                counts = await self.store.progress(tenant, project, self.partitions)
                total = sum(count for name, count in counts.items() if name.startswith("samples."))
                self._samples[tenant, project] = time.monotonic(), total

    def of(
        self,
        tenant: str,
        profile: AnnotatorProfile | None,
        answered: Mapping[str, Answered],
        live: Collection[Lease],
        now: datetime,
    ) -> Bounds:
        """Return what bounds a person at the moment.

        Args:
            tenant: Theirs.
            profile: Theirs, if there is one.
            answered: By project, how much they have answered.
            live: The leases that they hold.
            now: The present.
        """
        today = _day(now)
        person = barred(profile, sum(each.today for each in answered.values() if each.day == today), now)
        held = Counter(lease.project_id for lease in live)
        projects: dict[str, Barred] = {}
        groups: dict[str, tuple[str | None, int]] = {}
        most_held: dict[str, int] = {}
        serving: dict[str, Serving] = {}
        for project, spec in self._limited(tenant).items():
            policy, known = spec.assignment, answered.get(project, Answered())
            given = Given(known.total, known.today if known.day == today else 0)
            samples = self._samples.get((tenant, project), (0.0, None))[1]
            if (bar := barred_from_project(policy, profile, given, held[project], samples, now)) is not None:
                projects[project] = bar
            if policy.diversity is not None:
                most = most_of_a_group(policy.diversity, spec.quality.overlap)
                groups[project] = group_of(profile, policy.diversity), most
            if policy.max_held is not None:
                most_held[project] = policy.max_held - held[project]
            if (how := _serving(policy)) != DEPTH_FIRST:
                serving[project] = how
        return Bounds(person, projects, groups, most_held, serving)

    def _limited(self, tenant: str) -> Mapping[str, ProjectSpec]:
        """Return the newest specs of the tenant's projects whose policy has a say in who gets what."""
        known = self._policies.get(tenant)
        if known is None or time.monotonic() - known[0] > POLICIES_SECONDS:
            specs = {project: self.catalog.latest(tenant, project).spec for project in self.catalog.projects(tenant)}
            known = time.monotonic(), {name: spec for name, spec in specs.items() if _has_limits(spec.assignment)}
            self._policies[tenant] = known
        return known[1]

    def _is_fresh(self, tenant: str, project: str) -> bool:
        known = self._samples.get((tenant, project))
        return known is not None and time.monotonic() - known[0] < SAMPLES_SECONDS


def count_answers(
    holdings: Holdings, samples: Mapping[str, StoredSample], answered: Collection[str], tenant: str, now: datetime
) -> dict[str, Answered]:
    """Return how much somebody has answered, with those leases of their list that have got their answer meanwhile.

    They leave the list in the same write, so each is counted once, on the day on which that is noticed: at the first
    claim after the answer.

    Args:
        holdings: Their list, with what was counted before.
        samples: The samples of the leases on it, by document id.
        answered: Leases that were answered, though their samples do not show it yet.
        tenant: Theirs.
        now: The present.
    """
    counted = dict(holdings.answered)
    for held in holdings.leases:
        project = _answered_in(held, samples.get(f"{tenant}/{sample_of_task(held.task_id)}"), answered)
        if project is not None:
            counted[project] = counted.get(project, Answered()).plus_one(_day(now))
    return counted


def _answered_in(held: Held, stored: StoredSample | None, answered: Collection[str]) -> str | None:
    """Return the project in which a lease was answered; None where it was not, or its sample does not show its task."""
    if held.is_answered(answered):
        return held.project_id
    task = None if stored is None else stored.sample.tasks.get(key_of_task(held.task_id))
    if stored is None or task is None:
        return None
    done = any(slot.lease_id == held.lease_id and slot.state == "done" for slot in task.slots.values())
    return stored.sample.project_id if done or held.lease_id in answered else None


def shortest(bars: Sequence[Barred]) -> Barred:
    """Return the bar that ends first."""
    return min(bars, key=lambda bar: bar.retry_after)


def _has_limits(policy: AssignmentPolicy) -> bool:
    return limits_anybody(policy) or policy.diversity is not None or _serving(policy) != DEPTH_FIRST


def _serving(policy: AssignmentPolicy) -> Serving:
    return Serving(policy.order == "breadth_first", policy.random_within)


def _day(now: datetime) -> str:
    return now.astimezone(UTC).date().isoformat()
