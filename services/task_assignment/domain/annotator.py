"""An annotator as far as work is given out by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from services.task_assignment.domain.ready import Seeker
from services.task_assignment.domain.working import day_of
from shared.events.origin import STAGES_OF_ROLE
from shared.events.quality import AnnotatorScored
from shared.events.tasks import AnnotatorDeclared, AnnotatorProfile, AnnotatorUpdated
from shared.events.work import AnnotatorWorked
from shared.ledger import Step
from shared.security import Principal


class Score(BaseModel):
    """Skill in one project, as qa measured it."""

    model_config = ConfigDict(frozen=True)

    accuracy: float
    assessed: int


class Answered(NamedTuple):
    """How many answers somebody has given in a project."""

    total: int = 0
    day: str = ""
    """The last day (UTC) on which they gave any."""
    today: int = 0
    """How many they gave on that day."""

    def plus_one(self, day: str) -> Answered:
        """Return the count with one more answer."""
        return Answered(self.total + 1, day, self.today + 1 if day == self.day else 1)

    def with_those_of(self, other: Answered) -> Answered:
        """Return the count of both."""
        last = max(self.day, other.day)
        today = sum(each.today for each in (self, other) if each.day == last)
        return Answered(self.total + other.total, last, today)


class Annotator(BaseModel):
    """Profile and measured skill."""

    model_config = ConfigDict(frozen=True)

    annotator_id: str
    profile: AnnotatorProfile | None = None
    """None where nobody has declared one: then the roles of the key decide alone."""
    scores: dict[str, Score] = {}
    offered: dict[str, Answered] = {}
    """By project: how much labeling tools have brought of them; what they answered under leases is on their list."""


def on_annotator_declared(annotator: Annotator | None, event: AnnotatorDeclared) -> Step[Annotator]:
    """Take over the profile that a manager declared; the last one in the log is the one that holds."""
    annotator = annotator or Annotator(annotator_id=event.annotator_id)
    updated = AnnotatorUpdated.caused_by(event, annotator_id=event.annotator_id, profile=event.profile)
    return Step(annotator.model_copy(update={"profile": event.profile}), [updated])


def on_annotator_scored(annotator: Annotator | None, event: AnnotatorScored) -> Step[Annotator]:
    """Remember the skill that qa measured; an older figure, over fewer answers, changes nothing."""
    annotator = annotator or Annotator(annotator_id=event.annotator_id)
    known = annotator.scores.get(event.project_id)
    if known is not None and known.assessed >= event.assessed:
        return Step(annotator)
    score = Score(accuracy=event.accuracy, assessed=event.assessed)
    return Step(annotator.model_copy(update={"scores": annotator.scores | {event.project_id: score}}))


def on_offer_counted(annotator: Annotator | None, event: AnnotatorWorked) -> Step[Annotator]:
    """Count an answer that came without a lease, on its day, for the caps by which work is given out."""
    annotator = annotator or Annotator(annotator_id=event.annotator_id)
    offered = annotator.offered.get(event.project_id, Answered()).plus_one(day_of(event))
    return Step(annotator.model_copy(update={"offered": annotator.offered | {event.project_id: offered}}))


def with_offered(answered: Mapping[str, Answered], annotator: Annotator | None) -> dict[str, Answered]:
    """Return how much somebody has answered by project, under leases and by tools together."""
    offered = {} if annotator is None else annotator.offered
    projects = answered.keys() | offered.keys()
    return {each: answered.get(each, Answered()).with_those_of(offered.get(each, Answered())) for each in projects}


def seeker_for(
    principal: Principal,
    profile: AnnotatorProfile | None,
    *,
    project: str | None,
    stages: frozenset[str],
    languages: frozenset[str],
) -> Seeker:
    """Return what somebody may be given: what they ask for, within what roles, key and profile allow.

    Args:
        principal: The caller.
        profile: Their profile, if one was declared.
        project: The only project they ask for; None: all.
        stages: The stages they ask for; empty: all.
        languages: The languages they ask for; empty: all.
    """
    allowed: set[str] = set()
    for role in principal.roles:
        allowed |= STAGES_OF_ROLE.get(role, frozenset())
    projects = [set(each) for each in (principal.projects, profile.projects if profile else ()) if each]
    if project is not None:
        projects.append({project})
    if profile is not None:
        allowed &= set(profile.stages)
    spoken = frozenset(profile.languages) if profile else frozenset()
    return Seeker(
        annotator_id=principal.subject,
        tenant_id=principal.tenant_id,
        stages=frozenset(allowed & stages if stages else allowed),
        projects=frozenset(set.intersection(*projects)) if projects else None,
        languages=spoken & languages if spoken and languages else spoken or languages,
    )
