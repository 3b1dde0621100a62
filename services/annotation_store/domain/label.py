"""The label of record of one sample, with every revision that it ever had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict

from services.annotation_store.domain.content import body_of
from services.annotation_store.domain.vocabulary import Vocabulary
from shared.events import Event
from shared.events.annotations import (
    LabelChecked,
    LabelCheckRequested,
    LabelProvenance,
    LabelRechecked,
    LabelRecorded,
    MigrationStamp,
    RulesSaid,
    SampleDescribed,
)
from shared.events.quality import LabelFinalized
from shared.events.samples import SampleIngested
from shared.labels.canonical import canonical_json, content_hash
from shared.labels.faults import Fault
from shared.labels.taxonomy.migrating import migrate, used_labels
from shared.ledger import Body, Step, wait

SHORT_CHARS: Final = 4096
"""Facts of at most so many characters of JSON stand in the label itself."""


class LabelRevision(BaseModel):
    """What was held to be true of the sample from one moment on."""

    model_config = ConfigDict(frozen=True)

    revision: int
    project_version: int
    content_hash: str
    body: str
    """The id of the document that holds the fields."""
    provenance: LabelProvenance
    finalized_at: datetime


class SampleLabel(BaseModel):
    """A sample as its label needs it, and the label's revisions, the oldest first; empty until QA has decided."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    project_id: str
    external_id: str
    language: str | None = None
    revisions: tuple[LabelRevision, ...] = ()
    facts: str = ""
    """The id of the document that holds the facts of the sample's assets and its metadata, which rules look at; empty
    where they are short."""
    short_facts: str = ""
    """The same as JSON where it is short: most are, and a document of their own would cost as much as this one."""
    said: RulesSaid | None = None
    """What the rules said when they were asked last."""
    lookups: tuple[str, ...] = ()
    """By what migrations find it: ``label:<taxonomy>/<id>`` for each label of a taxonomy that the newest revision uses,
    ``left:`` instead where it could not be migrated; ``migrated:<migration>`` for each migration that wrote a revision,
    and ``newest:<migration>`` where that revision is the newest."""


@dataclass
class Recording:
    """A label while revisions are appended to it; lives within one step."""

    label: SampleLabel
    cause: Event
    known: Vocabulary
    emitted: list[Event] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)

    def append(
        self,
        fields: Mapping[str, Any],
        project_version: int,
        provenance: LabelProvenance,
        finalized_at: datetime,
        *,
        part: str = "",
    ) -> None:
        """Append a revision and announce it."""
        sample = self.label
        body = body_of(self.cause.tenant_id, sample.sample_id, fields)
        digest = content_hash(fields)
        revision = LabelRevision(
            revision=len(sample.revisions) + 1,
            project_version=project_version,
            content_hash=digest,
            body=body.id,
            provenance=provenance,
            finalized_at=finalized_at,
        )
        recorded = LabelRecorded.caused_by(
            self.cause,
            part=part,
            sample_id=sample.sample_id,
            project_id=sample.project_id,
            project_version=project_version,
            external_id=sample.external_id,
            language=sample.language,
            revision=revision.revision,
            fields=dict(fields),
            content_hash=digest,
            provenance=provenance,
        )
        if not sample.revisions and sample.short_facts:
            self.emitted.append(_described(self.cause, sample, orjson.loads(sample.short_facts)["assets"]))
        revisions = (*sample.revisions, revision)
        lookups = self._lookups(revisions, fields)
        self.label = sample.model_copy(update={"revisions": revisions, "lookups": lookups})
        self.emitted.append(recorded)
        self.bodies.append(body)

    def bring_up(self, fields: Mapping[str, Any], target: int) -> tuple[str, list[Fault]]:
        """Migrate the newest revision to a newer project version, as a revision of its own.

        Args:
            fields: The newest revision's fields.
            target: The project version to bring it to.

        Returns:
            ``unchanged`` where no label is out of use, ``migrated``, or ``left`` and why it stays as it is.
        """
        tenant, newest = self.cause.tenant_id, self.label.revisions[-1]
        if target <= newest.project_version:
            return "unchanged", []
        before = self.known.spec(tenant, self.label.project_id, newest.project_version)
        after = self.known.spec(tenant, self.label.project_id, target)
        done = migrate(before, after, fields, lambda name, version: self.known.taxonomy(tenant, name, version))
        if done.faults:
            lookups = tuple(each.replace("label:", "left:", 1) for each in self.label.lookups)
            self.label = self.label.model_copy(update={"lookups": lookups})
            return "left", list(done.faults)
        if done.cause is None:
            return "unchanged", []
        stamp = MigrationStamp(
            id=done.cause.migration or "", taxonomy=done.taxonomy, version=done.cause.version, revision=newest.revision
        )
        provenance = newest.provenance.model_copy(update={"migration": stamp})
        self.append(done.fields, target, provenance, self.cause.occurred_at, part=f"to version {target}")
        return "migrated", []

    def step(self, *more: Event) -> Step[SampleLabel]:
        """Return what became of the label; where it has a new revision, the rules are asked, apart from the fold."""
        sample, tenant = self.label, self.cause.tenant_id
        asked = []
        if self.emitted and self.known.has_rules(tenant, sample.project_id):
            version = sample.revisions[-1].project_version
            asked = [
                LabelCheckRequested.caused_by(
                    self.cause, sample_id=sample.sample_id, project_id=sample.project_id, project_version=version
                )
            ]
        return Step(sample, [*self.emitted, *asked, *more], self.bodies)

    def _lookups(self, revisions: tuple[LabelRevision, ...], fields: Mapping[str, Any]) -> tuple[str, ...]:
        newest = revisions[-1]
        spec = self.known.spec(self.cause.tenant_id, self.label.project_id, newest.project_version)
        found = {f"label:{taxonomy}/{label}" for taxonomy, label in used_labels(spec, fields)}
        stamps = [each.provenance.migration for each in revisions]
        found |= {f"migrated:{stamp.id}" for stamp in stamps if stamp is not None}
        if stamps[-1] is not None:
            found.add(f"newest:{stamps[-1].id}")
        return tuple(sorted(found))


def on_sample_ingested(label: SampleLabel | None, event: SampleIngested) -> Step[SampleLabel]:
    """Keep the names that a recorded label carries. Told again, it says the same.

    Those who freeze labels learn what the sample is with its first label; now, where there is one already or the facts
    are too long to be kept with the label.
    """
    assets = {slot: facts.model_dump(mode="json", exclude_none=True) for slot, facts in event.assets.items()}
    facts = {"assets": assets, "metadata": event.metadata}
    text = canonical_json(facts).decode()
    body = body_of(event.tenant_id, event.sample_id, facts) if len(text) > SHORT_CHARS else None
    names = {
        "external_id": event.external_id,
        "language": event.language,
        "facts": "" if body is None else body.id,
        "short_facts": text if body is None else "",
    }
    if label is None:
        label = SampleLabel(sample_id=event.sample_id, project_id=event.project_id, **names)
    else:
        label = label.model_copy(update=names)
    described = [_described(event, label, event.assets)] if label.revisions or body else []
    return Step(label, described, [body] if body else [])


def _described(cause: Event, label: SampleLabel, assets: Mapping[str, Any]) -> SampleDescribed:
    return SampleDescribed.caused_by(
        cause,
        sample_id=label.sample_id,
        project_id=label.project_id,
        external_id=label.external_id,
        language=label.language,
        assets=assets,
    )


def on_label_finalized(label: SampleLabel | None, event: LabelFinalized, known: Vocabulary) -> Step[SampleLabel]:
    """Record a new revision, and ask the rules of it. What is recorded already, from the same hands, stays one.

    A label made under an older version of a taxonomy is recorded as it was given; where the project has gone on to a
    newer one, a second revision brings it there.
    """
    if label is None:
        return wait(None)  # the topics are read side by side, so a label may overtake its sample
    digest = content_hash(event.fields)
    if label.revisions and (digest, event.provenance) == (
        label.revisions[-1].content_hash,
        label.revisions[-1].provenance,
    ):
        return Step(label)
    recording = Recording(label, event, known)
    recording.append(event.fields, event.project_version, event.provenance, event.occurred_at)
    recording.bring_up(event.fields, known.newest(event.tenant_id, event.project_id))
    return recording.step()


def on_label_check_requested(label: SampleLabel | None, event: LabelCheckRequested) -> Step[SampleLabel]:
    """Keep what the rules say of the label. What they have said of it already is neither kept nor told again."""
    said = event.said
    is_news = label is not None and said is not None and _is_newer(said, label.said)
    outcome = "skipped" if said is None else "checked" if is_news else "unchanged"
    told: list[Event] = []
    if event.job_id is not None:
        told.append(
            LabelRechecked.caused_by(
                event,
                part=event.sample_id,
                job_id=event.job_id,
                project_id=event.project_id,
                sample_id=event.sample_id,
                outcome=outcome,
            )
        )
    if label is None or said is None or not is_news:
        return Step(label, told)
    checked = LabelChecked.caused_by(
        event,
        sample_id=event.sample_id,
        project_id=event.project_id,
        project_version=said.project_version,
        revision=said.revision,
        verdicts=list(said.verdicts),
    )
    return Step(label.model_copy(update={"said": said}), [checked, *told])


def _is_newer(said: RulesSaid, before: RulesSaid | None) -> bool:
    return before is None or (said.revision, said.project_version) > (before.revision, before.project_version)
