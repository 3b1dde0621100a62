"""What was sent of a sample, and what the lines that sent it are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from services.ingest.domain.language import with_languages
from shared.events import Event
from shared.events.imports import ImportLineFinished, LineOutcome
from shared.events.samples import AssetSource, SampleSubmitted
from shared.labels.canonical import canonical_json, content_hash
from shared.labels.facts import AssetFacts, Clock
from shared.labels.faults import Fault
from shared.labels.project import ProjectSpec
from shared.labels.sample import inline_facts
from shared.sample_lines import SampleBody


class ImportLine(BaseModel):
    """A line of an import that waits for the sample's outcome."""

    model_config = ConfigDict(frozen=True)

    job_id: str
    line: int


class Described(Protocol):
    """A sample as far as its sender describes it, beside its assets."""

    @property
    def sample_id(self) -> str:
        """Its id."""

    @property
    def external_id(self) -> str:
        """Its name."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What else is said of it."""

    @property
    def clocks(self) -> dict[str, Clock]:
        """Its clocks by slot."""

    @property
    def language(self) -> str | None:
        """Its language."""

    @property
    def due_at(self) -> datetime | None:
        """Until when it should have its label of record."""

    @property
    def predictions(self) -> dict[str, Any] | None:
        """What is suggested to annotators."""


def lines_of(event: SampleSubmitted) -> list[ImportLine]:
    """Return the line that sent it, if one did."""
    if event.job_id is None or event.line is None:
        return []
    return [ImportLine(job_id=event.job_id, line=event.line)]


def told(
    cause: Event,
    lines: Sequence[ImportLine],
    sent: Described,
    sources: Mapping[str, AssetSource],
    outcome: LineOutcome,
    faults: Sequence[Fault] = (),
) -> list[ImportLineFinished]:
    """Tell lines what became of what they sent, with that itself where something is wrong."""
    source = _source(sources, sent) if faults and lines else None
    return [
        ImportLineFinished.caused_by(
            cause,
            part=str(line.line),
            job_id=line.job_id,
            line=line.line,
            outcome=outcome,
            external_id=sent.external_id,
            sample_id=sent.sample_id,
            faults=list(faults),
            source=source,
        )
        for line in lines
    ]


def finished(event: SampleSubmitted, outcome: LineOutcome, faults: Sequence[Fault] = ()) -> list[ImportLineFinished]:
    """Tell the line of a submission what became of it at once."""
    return told(event, lines_of(event), event, event.assets, outcome, faults)


def submission_hash(event: SampleSubmitted | SampleBody) -> str:
    """Return a hash of all that was sent of a sample."""
    due_at = None if event.due_at is None else event.due_at.astimezone(UTC).isoformat()
    beside = {"clocks": {slot: clock.model_dump() for slot, clock in event.clocks.items()}, "due_at": due_at}
    described = {name: getattr(event, name) for name in ("metadata", "language", "predictions")}
    return content_hash(
        {name: each for name, each in beside.items() if each} | {"assets": plain(event.assets)} | described
    )


def inline_assets(event: SampleSubmitted, spec: ProjectSpec) -> dict[str, AssetFacts]:
    """Return the facts of the assets that came inside the sample, by slot."""
    found: Mapping[str, AssetFacts | None] = {
        slot: inline_facts(spec.assets[slot], source.model_dump(exclude_none=True))
        for slot, source in event.assets.items()
    }
    return {
        slot: facts.model_copy(update={"language": event.assets[slot].language or event.language})
        for slot, facts in with_languages(found, event.languages).items()
        if facts is not None
    }


def plain(sources: Mapping[str, AssetSource]) -> dict[str, Any]:
    """Return sources as they were sent."""
    return {slot: source.model_dump(exclude_none=True) for slot, source in sources.items()}


def conflict(external_id: str) -> Fault:
    """Return what is told of other content under a name that is taken."""
    message = (
        f"The project has a sample {external_id!r} with other content; send it under another external_id, "
        "with on_conflict=replace to have this one in its place, or erase the one that is there."
    )
    return Fault(pointer="/external_id", code="conflict", message=message)


def fixed(external_id: str, why: str) -> Fault:
    """Return what is told of other assets that do not take the place of those that are there."""
    message = (
        f"The sample {external_id!r} keeps its assets, for {why}. Send this one under another external_id, or "
        "erase the one that is there first."
    )
    return Fault(pointer="/assets", code="conflict", message=message)


def _source(sources: Mapping[str, AssetSource], sent: Described) -> str:
    """Return a sample as a line that can be corrected and imported again."""
    line: dict[str, Any] = {"external_id": sent.external_id, "assets": plain(sources), "metadata": sent.metadata}
    if sent.clocks:
        line["clocks"] = {slot: clock.model_dump() for slot, clock in sent.clocks.items()}
    if sent.language is not None:
        line["language"] = sent.language
    if sent.predictions is not None:
        line["predictions"] = sent.predictions
    if sent.due_at is not None:
        line["due_at"] = sent.due_at.isoformat()
    return canonical_json(line).decode()
