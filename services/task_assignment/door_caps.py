"""Bounds on what tools bring without a lease: caps and skills, as they hold for claims, asked before the fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any, Final

from services.task_assignment.domain.eligibility import Given, barred, barred_from_project, has_skills
from services.task_assignment.domain.working import DayWork
from services.task_assignment.store import Store
from services.task_assignment.workloads import Asked, Period, Workloads
from shared.catalog import Catalog
from shared.events.tasks import AnnotationOffered, AnnotatorProfile
from shared.labels.policies import AssignmentPolicy

ALWAYS: Final = Period(date.min, date.max)
NO_CAPS: Final[dict[str, Any]] = {"working_hours": None, "skills": {}, "max_held": None}
"""What of a policy is no cap. Skills are asked for apart; when work is done in a tool is known to the tool alone."""


@dataclass(slots=True)
class _Passed:
    """Answers of one person that were let through on a day, of which the counts may not tell yet."""

    before: int
    """What was counted when the first of them came."""
    ids: set[str] = field(default_factory=set)


class DoorCaps:
    """Says of each answer without a lease whether its author has reached a cap, or lacks a skill.

    What a person has done is counted a moment after it was done. So what was let through here is remembered for the
    day, by the answers' ids: a batch that is read again counts once. Caps are soft: other replicas' answers of the last
    moment come on top.
    """

    def __init__(self, store: Store, workloads: Workloads, catalog: Catalog, partitions: int) -> None:
        self._store = store
        self._workloads = workloads
        self._catalog = catalog
        self._partitions = partitions
        self._day = ""
        self._passed: dict[tuple[str, ...], _Passed] = {}

    async def look(self, offers: Sequence[AnnotationOffered]) -> list[AnnotationOffered]:
        """Return the offers, with whose author has reached a cap, lacks a skill, or gets no work at all."""
        people = {f"{offer.tenant_id}/{offer.annotator_id}" for offer in offers}
        known = {id_: each.profile for id_, each in (await self._store.annotators(people)).items()}
        return [await self._looked(offer, known.get(f"{offer.tenant_id}/{offer.annotator_id}")) for offer in offers]

    async def _looked(self, offer: AnnotationOffered, profile: AnnotatorProfile | None) -> AnnotationOffered:
        if profile is not None and (profile.paused or profile.banned):
            return offer.model_copy(update={"barred": "annotator-paused"})
        policy = self._catalog.latest(offer.tenant_id, offer.project_id).spec.assignment
        if not has_skills(profile, policy):
            return offer.model_copy(update={"barred": "skills-missing"})
        most_a_day = None if profile is None else profile.max_per_day
        in_project = policy.max_per_day, policy.max_in_project, policy.max_share
        if most_a_day is None and all(cap is None for cap in in_project):
            return offer
        return await self._counted(offer, profile, policy)

    async def _counted(
        self, offer: AnnotationOffered, profile: AnnotatorProfile | None, policy: AssignmentPolicy
    ) -> AnnotationOffered:
        now = offer.occurred_at.astimezone(UTC)
        done = await self._done(offer, now.date(), policy)
        here = offer.tenant_id, offer.annotator_id
        of_today = [each for each in done if each.day == now.date().isoformat()]
        of_project = [each for each in done if each.project_id == offer.project_id]
        today = self._given(here, of_today, offer)
        given = Given(
            self._given((*here, offer.project_id, "ever"), of_project, offer),
            self._given((*here, offer.project_id), [each for each in of_today if each in of_project], offer),
        )
        samples = await self._samples(offer, policy)
        awake = None if profile is None else profile.model_copy(update={"working_hours": None})
        caps = policy.model_copy(update=NO_CAPS)
        if barred(awake, today, now) or barred_from_project(caps, awake, given, 0, samples, now):
            return offer.model_copy(update={"barred": "cap-reached"})
        for key in (here, (*here, offer.project_id, "ever"), (*here, offer.project_id)):
            self._passed[key].ids.add(offer.annotation_id)
        return offer

    async def _done(self, offer: AnnotationOffered, today: date, policy: AssignmentPolicy) -> list[DayWork]:
        needs_all = policy.max_in_project is not None or policy.max_share is not None
        period = ALWAYS if needs_all else Period(today, today)
        return await self._workloads.of_people(Asked(offer.tenant_id, period, offer.annotator_id), "", 1)

    async def _samples(self, offer: AnnotationOffered, policy: AssignmentPolicy) -> int | None:
        if policy.max_share is None:
            return None
        counts = await self._store.progress(offer.tenant_id, offer.project_id, self._partitions)
        return sum(count for name, count in counts.items() if name.startswith("samples."))

    def _given(self, key: tuple[str, ...], done: Sequence[DayWork], offer: AnnotationOffered) -> int:
        """Return how many answers somebody has given beside one, by the counts and by what was let through here."""
        day = offer.occurred_at.astimezone(UTC).date().isoformat()
        if day > self._day:
            self._day = day
            self._passed.clear()
        counted = sum(work.counted for each in done for work in each.stages.values())
        passed = self._passed.setdefault(key, _Passed(counted))
        return max(counted, passed.before + len(passed.ids - {offer.annotation_id}))
