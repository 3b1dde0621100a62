"""From what happens to a sample to what is decided about it: the steps of QA's fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.qa.domain.judging import Decision, Judgement, Label, needs_peer_review
from services.qa.domain.sample import (
    Assessment,
    CompletedTask,
    DecidedBy,
    FinalLabel,
    GivenLabel,
    GivenReview,
    JudgedSample,
    label_from,
)
from services.qa.domain.skill import score_answer
from shared.events.annotations import AnnotationStored, LabelProvenance, ReviewStored
from shared.events.base import Event
from shared.events.quality import AnnotatorAssessed, LabelFinalized, QaWorkRequested
from shared.events.tasks import AnnotationVoided, AnswerVoided, ReviewVoided, Stage, TaskCompleted, TaskContested
from shared.labels.answer import check_value
from shared.labels.spec import ProjectSpec
from shared.ledger import Step, wait

MAX_REJECTIONS: Final = 3
"""How many rejections of a sample's label lead to an adjudication; the next one lets the label stand."""

Judge = Callable[[ProjectSpec, Sequence[Label], int], Judgement]
"""(project version, labels, how many more answers may be asked for) -> judgement"""


@dataclass(frozen=True)
class Policy:
    """What a decision is made by, beside the sample itself."""

    spec: Callable[[str, str, int], ProjectSpec]
    """(tenant, project, version) -> the version's spec"""
    judge: Judge


def on_annotation_stored(
    sample: JudgedSample | None, event: AnnotationStored, policy: Policy, weights: Mapping[str, float]
) -> Step[JudgedSample]:
    """Take an answer in: of the first pass, to judge by; of an adjudicator, to decide by.

    Only a newer answer than the one that is there changes anything.
    """
    sample = _touched(sample, event)
    if event.annotation_id in sample.voided:
        return Step(sample)
    label = label_from(event, weights)
    if event.stage == "first_pass":
        known = sample.label_of(event.annotator_id)
        if known is not None and not label.replaces(known):
            return Step(sample)
        return _judged(sample.with_label(label), event, policy)
    if event.stage == "adjudication":
        if sample.adjudication is not None and not label.replaces(sample.adjudication):
            return Step(sample)
        sample = sample.model_copy(update={"adjudication": label})
        return _finalized(
            sample,
            event,
            policy,
            event.fields,
            "adjudication",
            version=event.project_version,
            person=event.annotator_id,
            source=event.annotation_id,
        )
    return Step(sample)


def on_task_completed(sample: JudgedSample | None, event: TaskCompleted, policy: Policy) -> Step[JudgedSample]:
    """Judge the sample once all answers of its first pass are here. Told again, it changes nothing."""
    sample = _touched(sample, event)
    task = CompletedTask(task_id=event.task_id, annotators=tuple(sorted(event.annotators)))
    if event.stage != "first_pass" or task in sample.completed:
        return Step(sample)
    return _judged(sample.with_completed(task), event, policy)


def on_task_contested(sample: JudgedSample | None, event: TaskContested) -> Step[JudgedSample]:
    """Let a person decide what so many did not want to, unless one does already. Told again, it changes nothing."""
    sample = _touched(sample, event)
    if sample.is_with_people:
        return Step(sample)
    reason = f"skipped by {len(event.skipped)} annotators"
    proposal = sample.consensus
    return _asked(sample, event, "adjudication", reason, version=event.project_version, proposal=proposal)


def on_annotation_voided(sample: JudgedSample | None, event: AnnotationVoided) -> Step[JudgedSample]:
    """Forget a label, and what was decided by it; ask for work in its place. Told again, it changes nothing.

    The label of record stays until there is a better one, and so does what a person has decided by looking at it.
    """
    sample = _touched(sample, event)
    if event.annotation_id in sample.voided:
        return Step(sample)
    sample = sample.without(event.annotation_id, event.task_id)
    if event.stage == "adjudication" and sample.final is not None:
        return Step(sample)  # another person has decided since
    proposal = sample.consensus if event.stage == "adjudication" else None
    request = _instead(sample, event, event.annotation_id, "a label was voided", proposal)
    # One more answer is awaited, unless a person is to decide anyhow; it is no extra one, for it takes another's place.
    awaited = sample.open_work if event.stage == "first_pass" and sample.is_with_people else event.stage
    return Step(sample.model_copy(update={"open_work": awaited}), [request])


def on_review_stored(sample: JudgedSample | None, event: ReviewStored, policy: Policy) -> Step[JudgedSample]:
    """Do as the reviewer says. A verdict that was taken in already changes nothing; one that overtook its label waits."""
    if sample is not None and event.review_id in sample.voided:
        return Step(sample)
    if sample is None or (base := _under_review(sample, event.stage)) is None:
        return wait(sample)
    sample = _touched(sample, event)
    earlier = [each for each in sample.reviews if each.review_id == event.review_id]
    if any(each.revision >= event.revision for each in earlier):
        return Step(sample)
    asks = event.verdict == "reject" and sample.open_work != "adjudication" and sample.rejections < MAX_REJECTIONS
    review = GivenReview(
        review_id=event.review_id,
        reviewer_id=event.annotator_id,
        stage=event.stage,
        revision=event.revision,
        verdict=event.verdict,
        issues=len(event.issues),
        project_version=event.project_version,
        given_at=event.occurred_at,
        seconds_spent=event.seconds_spent,
        origin=event.origin,
        before=earlier[0].before if earlier else sample.final,
        asked_adjudicator=asks,
    )
    sample = sample.model_copy(update={"reviews": (*sample.reviews, review)})
    if event.verdict == "reject" and sample.open_work == "adjudication":
        return Step(sample)  # an adjudicator looks at it already
    if asks:
        deciders = (*sample.deciders, event.annotator_id)
        sample = sample.model_copy(update={"rejections": sample.rejections + 1, "deciders": deciders})
        reason = ", ".join(["rejected by a reviewer", *sorted({issue.tag for issue in event.issues})])
        return _asked(sample, event, "adjudication", reason, version=event.project_version, proposal=base)
    fixed = {**base, **(event.fields or {})} if event.verdict == "fix" else dict(base)
    fields = {name: value for name, value in fixed.items() if value is not None}
    return _finalized(
        sample,
        event,
        policy,
        fields,
        "review",
        version=event.project_version,
        person=event.annotator_id,
        source=event.review_id,
    )


def on_review_voided(sample: JudgedSample | None, event: ReviewVoided) -> Step[JudgedSample]:
    """Forget a verdict, and what was decided by it; ask for another in its place. Told again, it changes nothing.

    What somebody else has decided since stands, and an adjudicator who is asked already looks at it in its place. The
    label of record stays until there is a better one.
    """
    sample = _touched(sample, event)
    if event.review_id in sample.voided:
        return Step(sample)
    is_here = any(each.review_id == event.review_id for each in sample.reviews)
    has_decided = sample.final is not None and sample.final.source_id == event.review_id
    sample = sample.without_review(event.review_id)
    if sample.open_work == "adjudication" or (is_here and not has_decided):
        return Step(sample)
    proposal = _under_review(sample, event.stage)
    request = _instead(sample, event, event.review_id, "a verdict was voided", proposal)
    awaited = "peer_review" if event.stage == "peer_review" else sample.open_work
    return Step(sample.model_copy(update={"open_work": awaited}), [request])


def _touched(
    sample: JudgedSample | None,
    event: AnnotationStored | AnnotationVoided | TaskCompleted | TaskContested | ReviewStored | ReviewVoided,
) -> JudgedSample:
    sample = sample or JudgedSample(sample_id=event.sample_id, project_id=event.project_id)
    occurred_ms = round(event.occurred_at.timestamp() * 1000)
    return sample.model_copy(update={"updated_ms": max(sample.updated_ms, occurred_ms)})


def _under_review(sample: JudgedSample, stage: Stage) -> Mapping[str, Any] | None:
    """Return the fields that a reviewer of this stage was shown; None where there are none yet."""
    final = None if sample.final is None else sample.final.fields
    shown = (sample.consensus, final) if stage == "peer_review" else (final, sample.consensus)
    return next((fields for fields in shown if fields is not None), None)


def _judged(sample: JudgedSample, cause: AnnotationStored | TaskCompleted, policy: Policy) -> Step[JudgedSample]:
    """Judge a sample whose labels or tasks have changed, and do what follows."""
    if sample.is_with_people or not sample.is_complete:
        return Step(sample)
    version = sample.project_version
    spec = policy.spec(cause.tenant_id, sample.project_id, version)
    labels = [
        Label(
            label.annotation_id,
            label.annotator_id,
            label.revision,
            _under(spec, version, label),
            field_weights=label.weights,
        )
        for label in sample.labels
    ]
    budget = spec.quality.max_overlap - spec.quality.overlap - sample.extra_slots
    judgement = policy.judge(spec, labels, budget)
    sample = sample.model_copy(
        update={
            "decision": judgement.decision,
            "consensus": judgement.consensus,
            "agreement": {n: f.agreement for n, f in judgement.fields.items() if f.agreement is not None},
            "confidence": {name: found.confidence for name, found in judgement.fields.items()},
        }
    )
    if judgement.decision is Decision.FINALIZE:
        return _agreed(sample, cause, policy, spec)
    if sample.open_work == "first_pass":
        return Step(sample)  # one more answer is on its way
    missing = max(1, spec.quality.overlap - judgement.annotators)
    may_ask = sample.extra_slots + missing <= spec.quality.max_overlap
    if judgement.decision is not Decision.ADJUDICATE and may_ask:
        return _asked(sample, cause, "first_pass", _reason(judgement), version=version, slots=missing)
    return _asked(sample, cause, "adjudication", _reason(judgement), version=version, proposal=judgement.consensus)


def _agreed(
    sample: JudgedSample, cause: AnnotationStored | TaskCompleted, policy: Policy, spec: ProjectSpec
) -> Step[JudgedSample]:
    consensus = sample.consensus or {}
    if sample.final is not None and sample.final.fields == consensus:
        return Step(sample.model_copy(update={"open_work": None}))
    is_first = sample.final is None and not sample.reviews
    if is_first and needs_peer_review(sample.sample_id, spec.workflow.peer_review):
        version = sample.project_version
        return _asked(sample, cause, "peer_review", "share of peer review", version=version, proposal=consensus)
    return _finalized(sample, cause, policy, consensus, "consensus", version=sample.project_version)


def _asked(
    sample: JudgedSample,
    cause: Event,
    stage: Stage,
    reason: str,
    *,
    version: int,
    slots: int = 1,
    proposal: Mapping[str, Any] | None = None,
) -> Step[JudgedSample]:
    """Ask for somebody's work, and remember that it is awaited."""
    extra = slots if stage == "first_pass" else 0
    request = _request(sample, cause, stage, reason, part=stage, version=version, slots=slots, proposal=proposal)
    return Step(sample.model_copy(update={"open_work": stage, "extra_slots": sample.extra_slots + extra}), [request])


def _instead(
    sample: JudgedSample, event: AnswerVoided, answer_id: str, reason: str, proposal: Mapping[str, Any] | None
) -> QaWorkRequested:
    """Return the request for an answer in the place of one that was voided."""
    version = sample.project_version or event.project_version
    return _request(sample, event, event.stage, reason, part=answer_id, version=version, slots=1, proposal=proposal)


def _request(
    sample: JudgedSample,
    cause: Event,
    stage: Stage,
    reason: str,
    *,
    part: str,
    version: int,
    slots: int,
    proposal: Mapping[str, Any] | None,
) -> QaWorkRequested:
    return QaWorkRequested.caused_by(
        cause,
        part=part,
        sample_id=sample.sample_id,
        project_id=sample.project_id,
        project_version=version,
        stage=stage,
        slots=slots,
        reason=reason,
        proposal=None if proposal is None else dict(proposal),
    )


def _finalized(
    sample: JudgedSample,
    cause: Event,
    policy: Policy,
    fields: Mapping[str, Any],
    decided_by: DecidedBy,
    *,
    version: int,
    person: str | None = None,
    source: str = "",
) -> Step[JudgedSample]:
    """Decide what is true of the sample, and tell how each annotator's answer compares with it."""
    spec = policy.spec(cause.tenant_id, sample.project_id, version)
    deciders = sample.deciders if person is None else (*sample.deciders, person)
    consensus = sample.consensus or {}
    provenance = LabelProvenance(
        decided_by=decided_by,
        annotators=[label.annotator_id for label in sample.labels],
        reviewers=list(deciders),
        agreement=sample.agreement,
        confidence={n: sure for n, sure in sample.confidence.items() if fields.get(n) == consensus.get(n)},
        contributions=sample.contributions(),
    )
    finalized = LabelFinalized.caused_by(
        cause,
        sample_id=sample.sample_id,
        project_id=sample.project_id,
        project_version=version,
        fields=dict(fields),
        provenance=provenance,
    )
    # An answer that made the label by itself says nothing of its own quality.
    alone = decided_by == "consensus" and len(sample.labels) < 2
    assessments, assessed = ((), []) if alone else _assessed(sample, cause, spec, version, fields)
    changed = {
        "final": FinalLabel(fields=fields, decided_by=decided_by, project_version=version, source_id=source),
        "deciders": deciders,
        "open_work": None,
        "assessments": assessments,
    }
    return Step(sample.model_copy(update=changed), [finalized, *assessed])


def _assessed(
    sample: JudgedSample, cause: Event, spec: ProjectSpec, version: int, fields: Mapping[str, Any]
) -> tuple[tuple[Assessment, ...], list[AnnotatorAssessed]]:
    assessments: list[Assessment] = []
    told: list[AnnotatorAssessed] = []
    for label in sample.labels:
        scores = score_answer(spec, _under(spec, version, label), fields)
        before = sample.scores_of(label.annotator_id)
        assessments.append(Assessment(annotator_id=label.annotator_id, scores=scores))
        if scores != before:
            told.append(
                AnnotatorAssessed.caused_by(
                    cause,
                    part=sample.sample_id,
                    annotator_id=label.annotator_id,
                    project_id=sample.project_id,
                    sample_id=sample.sample_id,
                    scores=scores,
                    replaced=before,
                )
            )
    return tuple(assessments), told


def _under(spec: ProjectSpec, version: int, label: GivenLabel) -> Mapping[str, Any]:
    """Return a label's values as far as the project version knows them; a label may be older than that version."""
    if label.project_version == version:
        return label.fields
    known = {name: options for name, options in spec.fields.items() if name in label.fields}
    checked = {name: check_value(options, None, label.fields[name]) for name, options in known.items()}
    return {name: value for name, (value, faults) in checked.items() if not faults}


def _reason(judgement: Judgement) -> str:
    return f"no quorum on {', '.join(judgement.unsettled)}" if judgement.unsettled else "fewer answers than the overlap"
