"""A sample's labels of record, every revision with its place in the log: what a cut chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict

from shared.events.annotations import LabelProvenance, LabelRecorded, SampleDescribed
from shared.events.datasets import DatasetFilter
from shared.events.erasure import DatasetAffected, SampleErased
from shared.labels.canonical import canonical_json, content_hash
from shared.labels.facts import AssetFacts
from shared.labels.languages import is_of
from shared.ledger import Body, Step

BODIES = "label_bodies"
"""Collection of the large values: fields with provenance, and the facts of assets."""


SHORT_CHARS: Final = 4096
"""Facts of assets of at most so many characters of JSON stand in the row itself."""


class Revision(BaseModel):
    """One revision of a label of record, and where it stands in ``label.recorded``."""

    model_config = ConfigDict(frozen=True)

    revision: int
    partition: int
    offset: int
    content_hash: str
    project_version: int
    body: str
    """Id of the document that holds fields and provenance."""


class LabelRow(BaseModel):
    """A sample as datasets see it."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    project_id: str
    external_id: str
    language: str | None = None
    assets_body: str | None = None
    """Id of the document that holds the facts of the sample's assets, where they are long."""
    short_assets: str | None = None
    """The facts as JSON where they are short: most are, and a document of their own would cost as much as this one."""
    revisions: tuple[Revision, ...] = ()

    @property
    def knows_assets(self) -> bool:
        """Whether the sample's assets are known."""
        return self.assets_body is not None or self.short_assets is not None

    def assets_in(self, bodies: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the facts of the assets by slot, empty where they are not known.

        Args:
            bodies: Large values by id, with that of ``assets_body``.
        """
        if self.short_assets is not None:
            return dict(orjson.loads(self.short_assets))
        return dict(bodies.get(self.assets_body or "", {}))

    def at_cut(self, barriers: Mapping[int, int]) -> Revision | None:
        """Return the newest revision before the cut, None where all came after it.

        Args:
            barriers: Per partition of ``label.recorded``, the offset of the dataset's barrier.
        """
        before = [each for each in self.revisions if each.offset < barriers.get(each.partition, 0)]
        return max(before, key=lambda each: each.revision, default=None)


class DatasetRow(BaseModel):
    """One line of a dataset: the sample, its label of record, and how that came to be."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    external_id: str
    project_version: int
    revision: int
    language: str | None = None
    fields: dict[str, Any]
    content_hash: str
    """Of ``fields`` as they stand here."""
    provenance: LabelProvenance
    assets: dict[str, AssetFacts]

    def line(self) -> bytes:
        """Return the row as one line of canonical JSON, with its line feed."""
        written = self.model_dump(mode="json", exclude={"assets"})
        written["assets"] = {
            slot: facts.model_dump(mode="json", exclude_none=True) for slot, facts in self.assets.items()
        }
        return canonical_json(written) + b"\n"

    @classmethod
    def read(cls, line: bytes) -> DatasetRow:
        """Read a line that ``line`` wrote."""
        return cls.model_validate_json(line)


def record(row: LabelRow | None, event: LabelRecorded) -> Step[LabelRow]:
    """Add a revision. One that is there already is not added twice."""
    row = row or LabelRow(sample_id=event.sample_id, project_id=event.project_id, external_id=event.external_id)
    if any(known.revision == event.revision for known in row.revisions):
        return Step(row)
    body_id = f"{event.tenant_id}/{event.sample_id}/{event.event_id}"
    revision = Revision(
        revision=event.revision,
        partition=event.log_partition,
        offset=event.log_offset,
        content_hash=event.content_hash,
        project_version=event.project_version,
        body=body_id,
    )
    revisions = tuple(sorted([*row.revisions, revision], key=lambda each: each.revision))
    content = {"fields": event.fields, "provenance": event.provenance.model_dump(mode="json")}
    row = row.model_copy(update={"revisions": revisions, "language": event.language or row.language})
    return Step(row, bodies=[_body(body_id, content)])


def describe(row: LabelRow | None, event: SampleDescribed) -> Step[LabelRow]:
    """Remember what the sample's assets are; what comes first of label and sample does not matter."""
    row = row or LabelRow(sample_id=event.sample_id, project_id=event.project_id, external_id=event.external_id)
    body_id = f"{event.tenant_id}/{event.sample_id}/{event.event_id}"
    assets = {slot: facts.model_dump(mode="json", exclude_none=True) for slot, facts in event.assets.items()}
    body = _body(body_id, assets)
    is_short = len(body.content["json"]) <= SHORT_CHARS
    told = {
        "assets_body": None if is_short else body_id,
        "short_assets": body.content["json"] if is_short else None,
        "language": event.language or row.language,
    }
    return Step(row.model_copy(update=told), bodies=[] if is_short else [body])


def erase(_row: LabelRow | None, event: SampleErased) -> Step[LabelRow]:
    """Forget the sample, so that no dataset takes it any more, and tell those that hold it."""
    affected = [
        DatasetAffected.caused_by(
            event,
            dataset_id=dataset_id,
            project_id=event.project_id,
            sample_id=event.sample_id,
            job_id=event.job_id,
        )
        for dataset_id in event.datasets
    ]
    return Step(None, affected, erases=True)


def read_body(document: Mapping[str, Any]) -> Any:
    """Return what a large value holds."""
    return orjson.loads(document["json"])


def dataset_row(
    row: LabelRow, revision: Revision, label: Mapping[str, Any], assets: Mapping[str, Any], chosen: DatasetFilter
) -> DatasetRow | None:
    """Return the row that a dataset takes, None where its filter leaves it out.

    Args:
        row: The sample.
        revision: The revision at the cut.
        label: ``fields`` and ``provenance`` of that revision.
        assets: Facts by slot.
        chosen: The dataset's filter.
    """
    provenance = LabelProvenance.model_validate(label["provenance"])
    fields = {name: value for name, value in label["fields"].items() if not chosen.fields or name in chosen.fields}
    if (chosen.fields and not fields) or not _fits(row, provenance, fields, chosen):
        return None
    return DatasetRow(
        sample_id=row.sample_id,
        external_id=row.external_id,
        project_version=revision.project_version,
        revision=revision.revision,
        language=row.language,
        fields=fields,
        content_hash=content_hash(fields),
        provenance=provenance,
        assets={slot: AssetFacts.model_validate(facts) for slot, facts in assets.items()},
    )


def _fits(row: LabelRow, provenance: LabelProvenance, fields: Mapping[str, Any], chosen: DatasetFilter) -> bool:
    if chosen.languages and not any(is_of(row.language, wanted) for wanted in chosen.languages):
        return False
    if chosen.decided_by and provenance.decided_by not in chosen.decided_by:
        return False
    if chosen.min_confidence is None:
        return True
    return all(provenance.confidence.get(name, 1.0) >= chosen.min_confidence for name in fields)


def _body(body_id: str, content: Any) -> Body:
    """Keep JSON as text: keys of records may be such as MongoDB gives a meaning."""
    return Body(BODIES, body_id, {"json": orjson.dumps(content).decode()})
