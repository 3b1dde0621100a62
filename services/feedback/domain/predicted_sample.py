"""A sample with what models say of it and what is true of it: whenever both are known, each model is judged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from services.feedback.domain.errors import confusions, field_errors
from services.feedback.domain.naming import model_key_of
from shared.events.annotations import LabelRecorded
from shared.events.base import Event
from shared.events.erasure import SampleErased
from shared.events.feedback import (
    FindingProgressed,
    FindingSampleAwaited,
    PredictionJudged,
    PredictionLineFinished,
    PredictionSubmitted,
    TaskPriorityChanged,
)
from shared.events.quality import QaWorkRequested
from shared.labels.answer import check_answer
from shared.labels.faults import Fault
from shared.labels.spec import ProjectSpec
from shared.labels.taxonomy import Taxonomy
from shared.labels.taxonomy.migrating import renewed
from shared.ledger import Step, wait

MAX_PREDICTIONS: Final = 20
"""Model versions whose prediction a sample keeps, the newest: older ones are not judged again when its label changes."""


class Vocabulary(NamedTuple):
    """What fields mean."""

    spec_of: Callable[[str, str, int], ProjectSpec]
    """(tenant, project, version) -> the spec that a label was made under."""
    taxonomy_of: Callable[[str, str, int], Taxonomy]
    """(tenant, taxonomy, version) -> the taxonomy that a spec is bound to."""


class Prediction(BaseModel):
    """What one model version says of the sample."""

    model_config = ConfigDict(frozen=True)

    model: str
    model_version: str
    fields: dict[str, Any]
    score: float | None = None


class TrueLabel(BaseModel):
    """The label of record as it is now."""

    model_config = ConfigDict(frozen=True)

    revision: int
    project_version: int
    fields: dict[str, Any]
    content_hash: str


class PredictedSample(BaseModel):
    """What feedback knows of a sample."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    project_id: str
    label: TrueLabel | None = None
    predictions: tuple[Prediction, ...] = ()
    """One per model version, the one that came last at the end."""
    judgements: int = 0
    """How many there were: numbers them, so that the later of two is known."""
    awaited_by: tuple[str, ...] = ()
    """Findings that wait for a newer label."""


def predict(
    sample: PredictedSample | None, event: PredictionSubmitted, vocabulary: Vocabulary
) -> Step[PredictedSample]:
    """Take a prediction in, and judge it when the label is known. The same prediction again is ``unchanged``."""
    sample = sample or PredictedSample(sample_id=event.sample_id, project_id=event.project_id)
    if sample.project_id != event.project_id:
        message = f"Sample {event.sample_id} is of project {sample.project_id}; predict it there."
        fault = Fault(pointer="/sample_id", code="other-project", message=message)
        return Step(sample, _line(event, "rejected", [fault]))
    # The gateway has checked the fields, and passes them on as they came: not sorted, not rounded.
    spec = vocabulary.spec_of(event.tenant_id, event.project_id, event.project_version)
    prediction = Prediction(
        model=event.model,
        model_version=event.model_version,
        fields=dict(check_answer(spec, {}, event.fields).fields),
        score=event.score,
    )
    others = tuple(each for each in sample.predictions if _model(each) != _model(prediction))
    known = next((each for each in sample.predictions if _model(each) == _model(prediction)), None)
    if known == prediction:
        return Step(sample, _line(event, "unchanged"))
    sample = sample.model_copy(update={"predictions": (*others, prediction)[-MAX_PREDICTIONS:]})
    sample, judged = _judged(sample, [prediction], event, vocabulary)
    return Step(sample, [*judged, *_line(event, "created" if known is None else "replaced")])


def learn_label(sample: PredictedSample | None, event: LabelRecorded, vocabulary: Vocabulary) -> Step[PredictedSample]:
    """Judge all predictions by the new label, and tell the findings that wait for it. An older revision is past."""
    if sample is None or sample.project_id != event.project_id:  # the label knows best where the sample belongs
        sample = PredictedSample(sample_id=event.sample_id, project_id=event.project_id)
    before = sample.label
    if before is not None and event.revision <= before.revision:
        return Step(sample)
    label = TrueLabel.model_validate(event.model_dump(include=set(TrueLabel.model_fields)))
    changed = before is None or before.content_hash != label.content_hash
    progress = [
        FindingProgressed.caused_by(event, finding_id=finding_id, sample_id=sample.sample_id, changed=changed)
        for finding_id in sample.awaited_by
    ]
    sample = sample.model_copy(update={"label": label, "awaited_by": ()})
    sample, judged = _judged(sample, sample.predictions, event, vocabulary)
    return Step(sample, [*judged, *progress])


def send_back(sample: PredictedSample | None, event: FindingSampleAwaited, priority: int) -> Step[PredictedSample]:
    """Have the sample's label looked at again, soon; one look answers all findings that wait at the time."""
    if sample is None or (label := sample.label) is None:
        return wait(sample)
    if event.finding_id in sample.awaited_by:
        return Step(sample)
    already_asked = bool(sample.awaited_by)
    sample = sample.model_copy(update={"awaited_by": (*sample.awaited_by, event.finding_id)})
    if already_asked:
        return Step(sample)
    work = QaWorkRequested.caused_by(
        event,
        sample_id=sample.sample_id,
        project_id=sample.project_id,
        project_version=label.project_version,
        stage="senior_qa",
        slots=1,
        reason=event.reason,
        proposal=label.fields,
        finding_id=event.finding_id,
    )
    sooner = TaskPriorityChanged.caused_by(
        event, sample_id=sample.sample_id, project_id=sample.project_id, priority=priority, reason=event.reason
    )
    return Step(sample, [work, sooner])


def erase(sample: PredictedSample | None, event: SampleErased) -> Step[PredictedSample]:
    """Forget the sample; findings that wait for a look at it wait no longer."""
    awaited_by = () if sample is None else sample.awaited_by
    return Step(None, [_looked_at(event, finding_id, event.sample_id) for finding_id in awaited_by], erases=True)


def after_erasure(event: Event) -> Sequence[Event]:
    """Tell jobs and findings that nothing comes of an erased sample, for they would wait for it without end."""
    if isinstance(event, PredictionSubmitted):
        message = f"Sample {event.sample_id} was erased; leave its predictions out."
        return _line(event, "erased", [Fault(pointer="/sample_id", code="erased", message=message)])
    if isinstance(event, FindingSampleAwaited):
        return [_looked_at(event, event.finding_id, event.sample_id)]
    return ()


def _looked_at(cause: Event, finding_id: str, sample_id: str) -> FindingProgressed:
    return FindingProgressed.caused_by(cause, finding_id=finding_id, sample_id=sample_id, changed=False)


def _judged(
    sample: PredictedSample, predictions: Sequence[Prediction], cause: Event, vocabulary: Vocabulary
) -> tuple[PredictedSample, list[PredictionJudged]]:
    label = sample.label
    if label is None or not predictions:
        return sample, []
    spec = vocabulary.spec_of(cause.tenant_id, sample.project_id, label.project_version)
    said = [  # a migration gives labels other ids, and makes no prediction wrong
        (each, renewed(spec, each.fields, lambda name, version: vocabulary.taxonomy_of(cause.tenant_id, name, version)))
        for each in predictions
    ]
    judged = [
        PredictionJudged.caused_by(
            cause,
            part=sample.sample_id,
            model_key=model_key_of(cause.tenant_id, sample.project_id, each.model, each.model_version),
            sample_id=sample.sample_id,
            project_id=sample.project_id,
            project_version=label.project_version,
            model=each.model,
            model_version=each.model_version,
            label_revision=label.revision,
            sequence=sample.judgements + 1,
            errors=field_errors(spec, label.fields, fields),
            confusions=confusions(spec, label.fields, fields),
        )
        for each, fields in said
    ]
    return sample.model_copy(update={"judgements": sample.judgements + 1}), judged


def _model(prediction: Prediction) -> tuple[str, str]:
    return prediction.model, prediction.model_version


def _line(event: PredictionSubmitted, outcome: str, faults: Sequence[Fault] = ()) -> list[PredictionLineFinished]:
    """Tell the job of the line that the prediction came in."""
    if event.job_id is None or event.line is None:
        return []
    finished = PredictionLineFinished.caused_by(
        event,
        job_id=event.job_id,
        line=event.line,
        outcome=outcome,
        sample_id=event.sample_id,
        faults=list(faults),
    )
    return [finished]
