"""What is known of one model version: every sample's last judgement, their sums, and when that is a finding.

Each sample counts once, with its last judgement, so a judgement that comes twice changes nothing and sums are exact.
A document holds judgements up to ``MAX_BYTES``: some 70,000 samples of five fields, 2,500 of two hundred. Of a model that
is judged on more, the first ones count, and the tally says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.feedback.domain.naming import WHOLE_FIELD, slice_of
from shared.events.base import Event
from shared.events.feedback import FindingClosed, FindingOpened, PredictionJudged
from shared.ids import derived_id
from shared.ledger import Step

MAX_BYTES: Final = 8_000_000
"""Of packed judgements; half of what MongoDB takes in a document."""
MAX_CONFUSIONS: Final = 1_000
"""Pairs of label and prediction that are counted per field, the first ones that occur."""
ERRING: Final = 2_000
"""The error, in ten-thousandths, from which on a sample shows what the model errs in."""
_UNIT: Final = 10_000


class FieldTally(BaseModel):
    """Sums of one field over all judged samples."""

    model_config = ConfigDict(frozen=True)

    judged: int = 0
    errors: int = 0
    """Sum of all errors, in ten-thousandths: whole numbers add up alike in any order."""
    erring: int = 0
    fresh: int = 0
    """Of the erring ones: how many no finding has sent back yet."""
    findings: int = 0
    """How many findings were opened on this field."""

    @property
    def error_rate(self) -> float:
        """The mean error, 0 to 1; of a choice it is the share of wrong predictions."""
        return self.errors / _UNIT / self.judged if self.judged else 0.0


class Confusion(BaseModel):
    """How often the model says ``prediction`` where the label says ``label``."""

    model_config = ConfigDict(frozen=True)

    label: str
    prediction: str
    count: int = 0
    fresh: int = 0


class SampleTally(BaseModel):
    """The last judgement of one sample."""

    model_config = ConfigDict(frozen=True)

    sequence: int
    errors: dict[str, int]
    """Per field, in ten-thousandths."""
    confused: dict[str, tuple[str, str]] = Field(default_factory=dict)
    examined: tuple[str, ...] = ()
    """Fields for whose sake a finding has sent the sample back: once is enough."""

    def fresh(self, field: str) -> bool:
        """Return whether the sample errs in the field, and nobody was asked to look at it for that."""
        return self.errors.get(field, 0) >= ERRING and field not in self.examined


class OpenFinding(BaseModel):
    """A finding that is being worked off."""

    model_config = ConfigDict(frozen=True)

    finding_id: str
    field: str
    slice: str


class ModelTally(BaseModel):
    """One model version in one project."""

    model_config = ConfigDict(frozen=True)

    model_key: str
    project_id: str
    project_version: int
    model: str
    model_version: str
    samples: int = 0
    packed_bytes: int = 0
    """Size of all judgements as they are kept."""
    full: bool = False
    """Whether some sample was left out because there were ``MAX_BYTES``."""
    fields: dict[str, FieldTally] = Field(default_factory=dict)
    confusions: dict[str, tuple[Confusion, ...]] = Field(default_factory=dict)
    open: tuple[OpenFinding, ...] = ()
    judged: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Each sample's last judgement by the first two letters of its id, then by its id, as JSON: read where needed, for
    a batch touches few of them."""

    def sample(self, sample_id: str) -> SampleTally | None:
        """Return the sample's last judgement."""
        packed = self.judged.get(sample_id[:2], {}).get(sample_id)
        return None if packed is None else SampleTally.model_validate_json(packed)


@dataclass(frozen=True, slots=True)
class FindingPolicy:
    """When errors become a finding."""

    min_judged: int = 8
    """Judged samples that a field's error rate needs to say something."""
    error_rate: float = 0.2
    """The mean error of a field from which on it is a finding."""
    slice_errors: int = 3
    """How often one confusion occurs before it is a finding; and new errors before a field is one again."""
    finding_samples: int = 50
    """Most samples that one finding sends back, the worst first."""


def count(tally: ModelTally | None, event: PredictionJudged, policy: FindingPolicy) -> Step[ModelTally]:
    """Let the judgement take the place of the sample's last one, and see whether there is a finding.

    A judgement that is not newer than the last one of its sample changes nothing.
    """
    tally = tally or ModelTally.model_validate(
        event.model_dump(include={"model_key", "project_id", "project_version", "model", "model_version"})
    )
    before = tally.sample(event.sample_id)
    if before is not None and before.sequence >= event.sequence:
        return Step(tally)
    if before is None and tally.packed_bytes >= MAX_BYTES:
        return Step(tally.model_copy(update={"full": True}))
    after = SampleTally(
        sequence=event.sequence,
        errors={name: round(error * _UNIT) for name, error in event.errors.items()},
        confused=event.confusions,
        examined=() if before is None else before.examined,
    )
    tally = tally.model_copy(update={"project_version": max(tally.project_version, event.project_version)})
    return _found(_replaced(tally, {event.sample_id: after}), event, sorted(event.errors), policy)


def close(tally: ModelTally | None, event: FindingClosed, policy: FindingPolicy) -> Step[ModelTally]:
    """Forget that the finding is open, and see whether what has come since is another one.

    A dismissal covers all the errors of its slice that are known by then. A finding that is not open changes nothing.
    """
    if tally is None:
        return Step(tally)
    closed = next((each for each in tally.open if each.finding_id == event.finding_id), None)
    if closed is None:
        return Step(tally)
    tally = tally.model_copy(update={"open": tuple(each for each in tally.open if each is not closed)})
    if event.outcome == "dismissed":
        tally = _examined(tally, closed.field, _fresh_in(tally, closed.field, closed.slice))
    return _found(tally, event, [closed.field], policy)


def _found(tally: ModelTally, cause: Event, fields: Iterable[str], policy: FindingPolicy) -> Step[ModelTally]:
    """Open a finding on each slice and field that deserves one."""
    opened: list[FindingOpened] = []
    for field in fields:
        for slice_ in _deserving(tally, field, policy):
            fresh = _fresh_in(tally, field, slice_)
            worst = sorted(fresh, key=lambda sample_id: (-fresh[sample_id].errors[field], sample_id))
            needed = _needed(tally.fields[field], slice_, policy)
            if len(worst) < needed:  # a slice before it has taken them
                continue
            tally, finding = _opened(tally, cause, field, slice_, worst[: policy.finding_samples])
            opened.append(finding)
    return Step(tally, opened)


def _deserving(tally: ModelTally, field: str, policy: FindingPolicy) -> list[str]:
    """Return the slices of the field that are findings and not open: confusions first, for they say more."""
    known = {each.slice for each in tally.open if each.field == field}
    slices = [
        slice_of(each.label, each.prediction)
        for each in sorted(tally.confusions.get(field, ()), key=lambda each: -each.fresh)
        if each.fresh >= policy.slice_errors
    ]
    of_field = tally.fields.get(field, FieldTally())
    enough = of_field.judged >= policy.min_judged and of_field.error_rate >= policy.error_rate
    if enough and of_field.fresh >= _needed(of_field, WHOLE_FIELD, policy):
        slices.append(WHOLE_FIELD)
    return [slice_ for slice_ in slices if slice_ not in known]


def _needed(of_field: FieldTally, slice_: str, policy: FindingPolicy) -> int:
    """Return how many new errors a finding needs; on a field that has had one it needs as many as a slice."""
    return 1 if slice_ == WHOLE_FIELD and not of_field.findings else policy.slice_errors


def _opened(
    tally: ModelTally, cause: Event, field: str, slice_: str, sample_ids: list[str]
) -> tuple[ModelTally, FindingOpened]:
    of_field = tally.fields[field]
    finding_id = derived_id("finding", tally.model_key, field, slice_, str(of_field.findings))
    opened = FindingOpened.caused_by(
        cause,
        finding_id=finding_id,
        project_id=tally.project_id,
        project_version=tally.project_version,
        model=tally.model,
        model_version=tally.model_version,
        field=field,
        slice=slice_,
        error_rate=round(of_field.error_rate, 6),
        judged=of_field.judged,
        samples=sample_ids,
    )
    chosen = {sample_id: found for sample_id in sample_ids if (found := tally.sample(sample_id)) is not None}
    tally = _examined(tally, field, chosen)
    of_field = tally.fields[field].model_copy(update={"findings": of_field.findings + 1})
    now_open = (*tally.open, OpenFinding(finding_id=finding_id, field=field, slice=slice_))
    return tally.model_copy(update={"fields": tally.fields | {field: of_field}, "open": now_open}), opened


def _fresh_in(tally: ModelTally, field: str, slice_: str) -> dict[str, SampleTally]:
    """Return the samples that err in the slice and were not sent back for the field."""
    samples = (
        (sample_id, SampleTally.model_validate_json(packed))
        for bucket in tally.judged.values()
        for sample_id, packed in bucket.items()
    )
    return {
        sample_id: sample
        for sample_id, sample in samples
        if sample.fresh(field)
        and (slice_ == WHOLE_FIELD or (field in sample.confused and slice_of(*sample.confused[field]) == slice_))
    }


def _examined(tally: ModelTally, field: str, samples: Mapping[str, SampleTally]) -> ModelTally:
    return _replaced(
        tally,
        {
            sample_id: sample.model_copy(update={"examined": (*sample.examined, field)})
            for sample_id, sample in samples.items()
        },
    )


def _replaced(tally: ModelTally, samples: Mapping[str, SampleTally]) -> ModelTally:
    """Put judgements in the place of their samples' last ones, and keep the sums in step."""
    fields, confusions, judged = dict(tally.fields), dict(tally.confusions), dict(tally.judged)
    added = grown = 0
    copied: set[str] = set()
    for sample_id, after in samples.items():
        bucket = sample_id[:2]
        if bucket not in copied:
            judged[bucket] = dict(judged.get(bucket, {}))
            copied.add(bucket)
        before, packed = tally.sample(sample_id), after.model_dump_json(exclude_defaults=True)
        if before is not None:
            _add(fields, confusions, before, -1)
            grown -= _size(sample_id, judged[bucket][sample_id])
        else:
            added += 1
        grown += _size(sample_id, packed)
        _add(fields, confusions, after, 1)
        judged[bucket][sample_id] = packed
    changes: dict[str, Any] = {"fields": fields, "confusions": confusions, "judged": judged}
    sizes = {"samples": tally.samples + added, "packed_bytes": tally.packed_bytes + grown}
    return tally.model_copy(update=changes | sizes)


def _size(sample_id: str, packed: str) -> int:
    return len(sample_id.encode()) + len(packed.encode())


def _add(
    fields: dict[str, FieldTally], confusions: dict[str, tuple[Confusion, ...]], sample: SampleTally, sign: int
) -> None:
    """Add a sample to the sums, or take it away again. The dicts are the caller's own copies."""
    for field, error in sample.errors.items():
        of_field = fields.get(field, FieldTally())
        fields[field] = of_field.model_copy(
            update={
                "judged": of_field.judged + sign,
                "errors": of_field.errors + sign * error,
                "erring": of_field.erring + sign * (error >= ERRING),
                "fresh": of_field.fresh + sign * sample.fresh(field),
            }
        )
    for field, (label, prediction) in sample.confused.items():
        known = confusions.get(field, ())
        at = next((i for i, each in enumerate(known) if (each.label, each.prediction) == (label, prediction)), None)
        if at is None and len(known) >= MAX_CONFUSIONS:
            continue
        # A pair stays once it is counted, also at zero: so it is counted always or never, and its count is exact.
        pair = Confusion(label=label, prediction=prediction) if at is None else known[at]
        counts = {"count": pair.count + sign, "fresh": pair.fresh + sign * sample.fresh(field)}
        pair = pair.model_copy(update=counts)
        confusions[field] = (*known, pair) if at is None else (*known[:at], pair, *known[at + 1 :])
