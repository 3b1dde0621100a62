"""A taxonomy's versions: given one after the other, in the order in which the wishes stand in the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.events import Event
from shared.events.migrations import MigrationRequested, ProjectRebindRequested, TaxonomyChangeRequested
from shared.events.taxonomies import TaxonomyPublished, TaxonomyRefused, TaxonomyVersioned
from shared.labels.canonical import content_hash
from shared.labels.faults import Fault
from shared.labels.taxonomy import Change, Taxonomy, apply_operations, check_replacement, roll_back
from shared.ledger import Step

Wish = TaxonomyPublished | TaxonomyChangeRequested


class KeptVersion(BaseModel):
    """A version of a taxonomy as it was published."""

    model_config = ConfigDict(frozen=True)

    number: int
    content: dict[str, Any]
    content_hash: str
    published_by: str
    published_at: datetime
    note: str = ""
    migration: str | None = None
    """The migration that made it."""
    operations: list[dict[str, Any]] = []
    rolls_back: str | None = None


class KeptTaxonomy(BaseModel):
    """What versioning knows of a taxonomy."""

    model_config = ConfigDict(frozen=True)

    taxonomy_id: str
    newest: KeptVersion
    before: dict[str, Any] | None = None
    """The content before a migration made the newest version: what a rollback gives back."""


def publish(kept: KeptTaxonomy | None, event: TaxonomyPublished) -> Step[KeptTaxonomy]:
    """Give the wished-for taxonomy its number, or refuse it.

    One equal to the newest gives that version again, as it was, under the new cause: whoever waits for this wish gets
    an answer, and sending a wish twice makes no second version.
    """
    if kept is not None and kept.newest.content_hash == event.content_hash:
        return Step(kept, [_versioned(event, kept.newest)])
    if (refusal := refused(kept, event, event.based_on)) is not None:
        return Step(kept, [refusal])
    before = None if kept is None else Taxonomy.model_validate(kept.newest.content)
    if faults := check_replacement(before, Taxonomy.model_validate(event.content)):
        return Step(kept, [refused_for(kept, event, faults)])
    version = KeptVersion(
        number=1 + number_of(kept),
        content=event.content,
        content_hash=event.content_hash,
        published_by=event.published_by,
        published_at=event.occurred_at,
    )
    return Step(KeptTaxonomy(taxonomy_id=event.taxonomy_id, newest=version), [_versioned(event, version)])


def change(kept: KeptTaxonomy | None, event: TaxonomyChangeRequested) -> Step[KeptTaxonomy]:
    """Change the newest version by operations, or take its change back, and let projects and labels follow."""
    if kept is None:
        fault = Fault(pointer="", code="unknown-taxonomy", message="There is no such taxonomy; publish it first.")
        return Step(kept, [refused_for(kept, event, [fault])])
    if (refusal := refused(kept, event, event.based_on)) is not None:
        return Step(kept, [refusal])
    before = Taxonomy.model_validate(kept.newest.content)
    number = kept.newest.number + 1
    done = (
        apply_operations(before, event.operations, version=number, migration=event.job_id)
        if event.rolls_back is None
        else _rolled_back(kept, event, number)
    )
    if done.taxonomy is None:
        return Step(kept, [refused_for(kept, event, done.faults)])
    content = done.taxonomy.to_json()
    version = KeptVersion(
        number=number,
        content=content,
        content_hash=content_hash(content),
        published_by=event.published_by,
        published_at=event.occurred_at,
        note=event.note,
        migration=event.job_id,
        operations=event.operations,
        rolls_back=event.rolls_back,
    )
    changed = kept.model_copy(update={"newest": version, "before": kept.newest.content})
    return Step(changed, [_versioned(event, version), *_followed(event, number)])


def number_of(kept: KeptTaxonomy | None) -> int:
    """Return the number of the newest version, 0 where there is none."""
    return 0 if kept is None else kept.newest.number


def refused(kept: KeptTaxonomy | None, event: Wish, based_on: int | None) -> TaxonomyRefused | None:
    """Return the refusal of a wish that was based on a version that is not the newest any more."""
    number = number_of(kept)
    if based_on is None or based_on == number:
        return None
    reason = (
        f"The change was based on version {based_on}, the newest is {number}; "
        f"read version {number}, bring your changes into it and send it again."
    )
    return TaxonomyRefused.caused_by(
        event, taxonomy_id=event.taxonomy_id, cause_id=event.event_id, current_version=number, reason=reason
    )


def refused_for(kept: KeptTaxonomy | None, event: Wish, faults: Sequence[Fault]) -> TaxonomyRefused:
    """Return the refusal of a wish that the newest version does not allow."""
    return TaxonomyRefused.caused_by(
        event,
        taxonomy_id=event.taxonomy_id,
        cause_id=event.event_id,
        current_version=number_of(kept),
        reason="The newest version does not allow the change.",
        faults=list(faults),
    )


def _rolled_back(kept: KeptTaxonomy, event: TaxonomyChangeRequested, number: int) -> Change:
    if kept.before is None or kept.newest.migration != event.rolls_back:
        message = (
            f"Only the change that made the newest version can be rolled back, and version {kept.newest.number} "
            f"was not made by {event.rolls_back}; change the taxonomy by another migration instead."
        )
        return Change(None, [Fault(pointer="", code="not-the-newest", message=message)])
    before, after = Taxonomy.model_validate(kept.before), Taxonomy.model_validate(kept.newest.content)
    return Change(roll_back(before, after, version=number, migration=event.job_id))


def _followed(event: TaxonomyChangeRequested, number: int) -> list[Event]:
    """Let each project that is bound to the taxonomy follow, and then the labels."""
    requested = MigrationRequested.caused_by(
        event,
        job_id=event.job_id,
        taxonomy_id=event.taxonomy_id,
        taxonomy_version=number,
        rolls_back=event.rolls_back,
        projects=list(event.projects),
        requested_by=event.published_by,
    )
    rebinds = [
        ProjectRebindRequested.caused_by(
            event,
            project_id=project,
            job_id=event.job_id,
            taxonomy_id=event.taxonomy_id,
            taxonomy_version=number,
            published_by=event.published_by,
        )
        for project in event.projects
    ]
    return [requested, *rebinds]


def _versioned(event: Wish, version: KeptVersion) -> TaxonomyVersioned:
    return TaxonomyVersioned.caused_by(
        event,
        part=str(version.number),
        occurred_at=version.published_at,
        taxonomy_id=event.taxonomy_id,
        taxonomy_version=version.number,
        cause_id=event.event_id,
        **version.model_dump(exclude={"number", "published_at"}),
    )
