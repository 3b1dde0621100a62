"""A sample on its way in: submitted, waiting for its uploads, then ingested or rejected."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.ingest.domain.declarations import declared_faults
from services.ingest.domain.duplicates import content_of
from services.ingest.domain.limits import check_limits
from services.ingest.domain.replacing import left_behind
from services.ingest.domain.resemblance import hash_of, met, with_resemblance
from services.ingest.domain.submission import (
    ImportLine,
    conflict,
    finished,
    fixed,
    inline_assets,
    lines_of,
    plain,
    submission_hash,
    told,
)
from shared.events import Event
from shared.events.duplicates import ContentCompared, ContentMet
from shared.events.imports import LineOutcome
from shared.events.replacements import ReplacementDecided, ReplacementProposed
from shared.events.resemblance import ImageResembled, NearDuplicate
from shared.events.samples import AssetSource, SampleIngested, SampleRejected, SampleSubmitted
from shared.events.uploads import MediaDropped, ReferenceAwaited, UploadArrived, UploadAwaited, UploadRefused
from shared.ids import derived_id
from shared.labels.answer import check_answer
from shared.labels.facts import AssetFacts, Clock
from shared.labels.faults import Fault
from shared.labels.pii.model import MAX_FINDINGS, PiiFinding
from shared.labels.pii.screening import masked_slots
from shared.labels.project import ProjectSpec
from shared.ledger import Step, wait

SampleState = Literal["waiting", "ingested", "linked", "rejected"]
_TOLD: Final = SampleIngested.model_fields.keys() - Event.model_fields.keys()


class Sample(BaseModel):
    """What ingest knows of a sample."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    project_id: str
    project_version: int
    external_id: str
    state: SampleState
    sources: dict[str, AssetSource]
    assets: dict[str, AssetFacts] = Field(default_factory=dict)
    """Facts by slot, as far as they are known."""
    metadata: dict[str, Any] = Field(default_factory=dict)
    clocks: dict[str, Clock] = Field(default_factory=dict)
    """By slot: where the asset's time stands on the sample's common clock, where the sample says so."""
    language: str | None = None
    predictions: dict[str, Any] | None = None
    pii: list[PiiFinding] = Field(default_factory=list)
    """Where personal data stands in it, or stood before it was masked."""
    due_at: datetime | None = None
    """Until when it should have its label of record, where its sender has said so."""
    submission_hash: str
    """Of what the client sent: the same again changes nothing."""
    refused_hash: str | None = None
    """Of what was sent last and was a conflict."""
    attempt: str = ""
    """The submission that this is; a sample that was rejected and sent again is another attempt."""
    content_id: str | None = None
    """What it consists of, where the project wants no content twice."""
    duplicate_of: str | None = None
    """Of a sample that is ``linked``: the one that had its content first."""
    near_duplicates: list[NearDuplicate] = Field(default_factory=list)
    """Images of earlier samples that its own look like, the nearest first."""
    faults: list[Fault] = Field(default_factory=list)
    lines: list[ImportLine] = Field(default_factory=list)
    proposed: Sample | None = None
    """What was sent to take its place, while it is not decided whether it may."""
    previous: Sample | None = None
    """Of one that takes another's place and waits: the sample as it is until then, and stays if this is rejected."""

    @property
    def missing(self) -> dict[str, str]:
        """The ids, by slot, of uploads and references that have not arrived."""
        wanted = {
            slot: source.upload or derived_id("reference", self.attempt, slot)
            for slot, source in self.sources.items()
            if source.upload is not None or source.uri is not None
        }
        return {slot: id_ for slot, id_ in wanted.items() if slot not in self.assets}


def submit(sample: Sample | None, event: SampleSubmitted, spec: ProjectSpec) -> Step[Sample]:
    """Take in what a client sent.

    The same content again is ``unchanged``; other content for a sample that was accepted is a ``conflict``, or
    ``replaced`` where the sender wants it so and no work on it stands in the way; a rejected sample may be sent again.
    """
    sent = submission_hash(event)
    if event.is_cancelled:
        return Step(sample, finished(event, "cancelled"))
    if sample is not None and sample.state != "rejected":
        if sample.submission_hash == sent:
            return Step(sample, finished(event, "unchanged"))
        if event.on_conflict == "replace":
            return _replace(sample, event, spec, sent)
        return _refuse(sample, event, sent, conflict(sample.external_id))
    return _begin(_fresh(event, spec, sent), event, spec)


def _fresh(event: SampleSubmitted, spec: ProjectSpec, sent: str) -> Sample:
    return Sample(
        sample_id=event.sample_id,
        project_id=event.project_id,
        project_version=event.project_version,
        external_id=event.external_id,
        state="waiting",
        sources=event.assets,
        assets=inline_assets(event, spec),
        metadata=event.metadata,
        clocks=event.clocks,
        language=event.language,
        predictions=event.predictions,
        pii=event.pii,
        due_at=event.due_at,
        submission_hash=sent,
        attempt=event.event_id,
        lines=lines_of(event),
    )


def _begin(fresh: Sample, cause: Event, spec: ProjectSpec) -> Step[Sample]:
    """Complete a sample at once, or wait for its files."""
    if not fresh.missing:
        return _complete(fresh, cause, spec)
    return Step(fresh, [_awaited(fresh, cause, slot, id_) for slot, id_ in fresh.missing.items()])


def _awaited(sample: Sample, cause: Event, slot: str, id_: str) -> UploadAwaited | ReferenceAwaited:
    uri = sample.sources[slot].uri
    if uri is not None:
        return ReferenceAwaited.caused_by(
            cause, part=slot, sample_id=sample.sample_id, slot=slot, reference_id=id_, uri=uri
        )
    return UploadAwaited.caused_by(
        cause, part=slot, upload_id=id_, sample_id=sample.sample_id, slot=slot, attempt=sample.attempt
    )


def arrive(sample: Sample | None, event: UploadArrived, spec: ProjectSpec | None) -> Step[Sample]:
    """Take in what the probe found in an upload; the last one completes the sample, a bad one rejects it."""
    if sample is None or spec is None:
        return wait(sample)
    if sample.missing.get(event.slot) != event.upload_id or sample.state != "waiting":
        return Step(sample)
    if event.fault is not None or event.facts is None:
        fault = event.fault or Fault(pointer="", code="probe-failed", message="The file could not be looked at.")
        return _reject(sample, event, [_at(event.slot, fault)])
    faults = [_at(event.slot, fault) for fault in check_limits(spec.assets[event.slot], event.facts)]
    if faults:
        return _reject(sample, event, faults)
    is_elsewhere = event.is_masked or event.facts.original is not None
    stored = {} if is_elsewhere else {"object": event.object, "version": event.version}
    language = sample.sources[event.slot].language or sample.language
    facts = event.facts.model_copy(update={**stored, "language": language})
    found = [at.model_copy(update={"pointer": f"/assets/{event.slot}{at.pointer}"}) for at in event.pii]
    sample = sample.model_copy(
        update={"assets": sample.assets | {event.slot: facts}, "pii": [*sample.pii, *found][:MAX_FINDINGS]}
    )
    step = Step(sample) if sample.missing else _complete(sample, event, spec)
    return Step(step.state, [*step.emitted, *_unmasked(sample, event)]) if event.is_masked else step


def _unmasked(sample: Sample, event: UploadArrived) -> list[UploadRefused | MediaDropped]:
    """Let the original of a masked text go: an upload into quarantine, a copy that we fetched at once."""
    if sample.sources[event.slot].upload is None:
        return [
            MediaDropped.caused_by(
                event, reason="replaced", **event.model_dump(include={"upload_id", "object", "version"})
            )
        ]
    return [_needed_no_more(sample, event, event.slot, event.upload_id, part=f"{sample.sample_id}/{event.slot}/masked")]


def _refuse(sample: Sample, event: SampleSubmitted, sent: str, fault: Fault) -> Step[Sample]:
    """Leave the sample as it is; what was refused is noted, so that a prefix that is followed does not send it again."""
    return Step(sample.model_copy(update={"refused_hash": sent}), finished(event, "conflict", [fault]))


def _replace(sample: Sample, event: SampleSubmitted, spec: ProjectSpec, sent: str) -> Step[Sample]:
    """Take over what describes a sample; for other assets, ask whether anybody has begun with those it has."""
    if sample.state != "ingested" or sample.proposed is not None:
        return _refuse(
            sample, event, sent, fixed(sample.external_id, "it waits for other assets, or has no tasks of its own")
        )
    if not _same_assets(sample, event):
        fresh = _fresh(event, spec, sent).model_copy(update={"project_version": sample.project_version})
        asked = ReplacementProposed.caused_by(event, sample_id=sample.sample_id, attempt=fresh.attempt)
        return Step(sample.model_copy(update={"proposed": fresh}), [asked])
    described = {name: getattr(event, name) for name in ("metadata", "language", "predictions", "due_at")}
    described["pii"] = [at for at in sample.pii if at.is_of_asset] + [at for at in event.pii if not at.is_of_asset]
    described["assets"] = {
        slot: facts.model_copy(update={"language": event.language}) for slot, facts in sample.assets.items()
    }
    replaced = sample.model_copy(update=described | {"submission_hash": sent})
    if faults := _prediction_faults(replaced, spec):
        return Step(sample, finished(event, "rejected", faults))
    return Step(replaced, [_ingested(replaced, event), *finished(event, "replaced")])


def on_replacement_decided(sample: Sample | None, event: ReplacementDecided, spec: ProjectSpec | None) -> Step[Sample]:
    """Begin with the assets that were proposed, or tell the line what stands in the way. Told again, it does nothing."""
    if sample is None or spec is None or sample.proposed is None or sample.proposed.attempt != event.attempt:
        return Step(sample)
    fresh, sample = sample.proposed, sample.model_copy(update={"proposed": None})
    if not event.granted:
        faults = [fixed(sample.external_id, event.reason)]
        refused = sample.model_copy(update={"refused_hash": fresh.submission_hash})
        return Step(refused, told(event, fresh.lines, fresh, fresh.sources, "conflict", faults))
    fresh = fresh.model_copy(update={"previous": sample})
    if unknown := sorted(fresh.sources.keys() - spec.assets.keys()):
        message = f"The tasks of the sample are of a version of the project that has no asset {unknown[0]!r}."
        return _reject(fresh, event, [Fault(pointer=f"/assets/{unknown[0]}", code="unknown-asset", message=message)])
    return _begin(fresh, event, spec)


def _complete(sample: Sample, cause: Event, spec: ProjectSpec) -> Step[Sample]:
    masked = masked_slots(spec, sample.pii)
    faults = [*declared_faults(sample.sources, sample.assets, masked), *_prediction_faults(sample, spec)]
    if faults:
        return _reject(sample, cause, faults)
    if spec.intake.duplicates != "allow":
        return _compare(sample, cause)
    return _accept(sample, cause, spec)


def compare(sample: Sample | None, event: ContentCompared, spec: ProjectSpec | None) -> Step[Sample]:
    """Go on with a sample whose content is new; link or reject one whose content another had first.

    What is said of an earlier attempt, or said again, changes nothing.
    """
    if sample is None or spec is None or sample.state != "waiting" or sample.attempt != event.attempt:
        return Step(sample)
    if event.first == sample.sample_id or spec.intake.duplicates == "allow":
        return _accept(sample, event, spec)
    if spec.intake.duplicates == "link" and sample.previous is None:
        linked, removed = _without_originals(sample, event, spec)
        linked = linked.model_copy(update={"state": "linked", "duplicate_of": event.first, "lines": []})
        return Step(linked, [*told(event, sample.lines, sample, sample.sources, "linked"), *removed])
    message = f"Sample {event.first} has the same assets, and the project wants none twice; leave this one out."
    return _reject(sample, event, [Fault(pointer="/assets", code="duplicate-content", message=message)])


def _compare(sample: Sample, cause: Event) -> Step[Sample]:
    content_id = content_of(cause.tenant_id, sample.project_id, sample.assets)
    met = ContentMet.caused_by(
        cause,
        part=sample.sample_id,
        content_id=content_id,
        sample_id=sample.sample_id,
        attempt=sample.attempt,
    )
    return Step(sample.model_copy(update={"content_id": content_id}), [met])


def resemble(sample: Sample | None, event: ImageResembled) -> Step[Sample]:
    """Note which earlier images one of the sample's looks like. Told again, it says the same."""
    if sample is None:
        return Step(None)
    found = with_resemblance(sample.near_duplicates, hash_of(sample.assets.get(event.slot)), event)
    return Step(sample.model_copy(update={"near_duplicates": found}))


def _accept(sample: Sample, cause: Event, spec: ProjectSpec) -> Step[Sample]:
    assets = sample.assets | {
        slot: sample.assets[slot].model_copy(update={"clock": clock})
        for slot, clock in sample.clocks.items()
        if slot in sample.assets
    }
    timed = sample.model_copy(update={"assets": assets}) if sample.clocks else sample
    done, removed = _without_originals(timed, cause, spec)
    done = done.model_copy(update={"state": "ingested", "faults": [], "lines": [], "previous": None})
    images = [] if spec.intake.near_duplicates is None else _images_met(done, cause, spec.intake.near_duplicates)
    behind = [] if sample.previous is None else left_behind(sample.previous, sample, cause)
    outcome: LineOutcome = "created" if sample.previous is None else "replaced"
    lines = told(cause, sample.lines, sample, sample.sources, outcome)
    return Step(done, [_ingested(done, cause), *lines, *behind, *images, *removed])


def _without_originals(sample: Sample, cause: Event, spec: ProjectSpec) -> tuple[Sample, list[Event]]:
    """Let the originals go that the project wants removed once there are copies without their metadata."""
    assets = dict(sample.assets)
    removed: list[Event] = []
    for slot, facts in sample.assets.items():
        original = facts.original
        if spec.assets[slot].exif != "remove" or original is None or original.object is None:
            continue
        gone = original.model_copy(update={"object": None, "version": None})
        assets[slot] = facts.model_copy(update={"original": gone})
        upload = sample.sources[slot].upload
        if upload is not None:
            part = f"{sample.sample_id}/{slot}"
            removed.append(_needed_no_more(sample, cause, slot, upload, part=part, erases=True))
        else:
            dropped = {"object": original.object, "version": original.version, "reason": "stripped"}
            reference_id = derived_id("reference", sample.attempt, slot)
            removed.append(MediaDropped.caused_by(cause, part=slot, upload_id=reference_id, **dropped))
    return sample.model_copy(update={"assets": assets}) if removed else sample, removed


def _images_met(sample: Sample, cause: Event, distance: int) -> list[Event]:
    return [
        each
        for slot, facts in sample.assets.items()
        if hash_of(facts) is not None
        for each in met(cause, sample.sample_id, sample.project_id, slot, facts, distance)
    ]


def _ingested(sample: Sample, cause: Event) -> SampleIngested:
    return SampleIngested.caused_by(cause, **{name: getattr(sample, name) for name in _TOLD})


def _reject(sample: Sample, cause: Event, faults: list[Fault]) -> Step[Sample]:
    outcomes = told(cause, sample.lines, sample, sample.sources, "rejected", faults)
    if sample.previous is not None:  # it goes on with what it had; telling so lets its tasks go on too
        kept = sample.previous.model_copy(update={"refused_hash": sample.submission_hash})
        return Step(kept, [_ingested(kept, cause), *_given_up(sample, cause), *outcomes])
    rejected = SampleRejected.caused_by(
        cause,
        **sample.model_dump(include={"sample_id", "project_id", "project_version", "external_id"}),
        faults=faults,
    )
    done = sample.model_copy(update={"state": "rejected", "faults": faults, "lines": []})
    return Step(done, [rejected, *_given_up(sample, cause), *outcomes])


def _given_up(sample: Sample, cause: Event) -> list[UploadRefused]:
    """Tell every upload of a rejected sample that it is needed no more."""
    return [
        _needed_no_more(sample, cause, slot, source.upload, part=f"{sample.sample_id}/{slot}")
        for slot, source in sample.sources.items()
        if source.upload is not None
    ]


def _needed_no_more(
    sample: Sample, cause: Event, slot: str, upload_id: str, *, part: str, erases: bool = False
) -> UploadRefused:
    return UploadRefused.caused_by(
        cause,
        part=part,
        upload_id=upload_id,
        sample_id=sample.sample_id,
        slot=slot,
        attempt=sample.attempt,
        erases=erases,
    )


def _prediction_faults(sample: Sample, spec: ProjectSpec) -> list[Fault]:
    """Check predictions like an answer, but for what they leave out."""
    if not sample.predictions:
        return []
    found = check_answer(spec, sample.assets, sample.predictions).faults
    return [
        fault.model_copy(update={"pointer": fault.pointer.replace("/fields", "/predictions", 1)})
        for fault in found
        if fault.code != "missing-field"
    ]


def _same_assets(sample: Sample, event: SampleSubmitted) -> bool:
    return (plain(sample.sources), sample.clocks) == (plain(event.assets), event.clocks)


def _at(slot: str, fault: Fault) -> Fault:
    return fault.model_copy(update={"pointer": f"/assets/{slot}{fault.pointer}"})
