"""What QA does with each event."""

from __future__ import annotations

from collections.abc import Sequence

from services.qa import metrics
from services.qa.domain import deciding
from services.qa.domain.annotator import AssessedAnnotator, on_annotator_assessed
from services.qa.domain.consistency import (
    ConsistencyCount,
    measured,
    on_consistency_measured,
    on_label_checked,
)
from services.qa.domain.deciding import Policy
from services.qa.domain.judging import Judgement, Label, judge
from services.qa.domain.sample import JudgedSample
from services.qa.skills import Skills
from shared.catalog import Catalog
from shared.erasure import erased_key, tombstone
from shared.events.annotations import AnnotationStored, LabelChecked, ReviewStored
from shared.events.erasure import SampleErased
from shared.events.quality import AnnotatorAssessed, ConsistencyMeasured, LabelFinalized
from shared.events.tasks import AnnotationVoided, ReviewVoided, TaskCompleted, TaskContested
from shared.labels.spec import ProjectSpec
from shared.ledger import Ledger, Step
from shared.routes import Route


def sample_key(
    event: AnnotationStored
    | AnnotationVoided
    | ReviewStored
    | ReviewVoided
    | TaskCompleted
    | TaskContested
    | LabelChecked,
) -> str:
    """Return the id of the sample's document."""
    return f"{event.tenant_id}/{event.sample_id}"


def annotator_key(event: AnnotatorAssessed) -> str:
    """Return the id of the document about an annotator in a project."""
    return f"{event.tenant_id}/{event.annotator_id}/{event.project_id}"


def counter_key(event: ConsistencyMeasured) -> str:
    """Return the id of the document that counts how one partition's samples of a project keep the rules."""
    return f"{event.tenant_id}/{event.counter_id}"


def create_tally_routes(annotators: Ledger[AssessedAnnotator], consistency: Ledger[ConsistencyCount]) -> list[Route]:
    """Return the routes to what is counted over samples.

    Args:
        annotators: What is known of each annotator in each project.
        consistency: How samples keep the rules, by project and partition.
    """
    return [
        Route(AnnotatorAssessed, annotators, on_annotator_assessed, annotator_key),
        Route(ConsistencyMeasured, consistency, on_consistency_measured, counter_key),
    ]


def create_routes(samples: Ledger[JudgedSample], catalog: Catalog, skills: Skills) -> list[Route]:
    """Return the routes to the samples.

    Args:
        samples: What is known of each sample.
        catalog: The project versions that labels were made under.
        skills: By which answers are weighed.
    """
    policy = Policy(lambda tenant, project, number: catalog.version(tenant, project, number).spec, _measured_judge)

    def on_annotation_stored(sample: JudgedSample | None, event: AnnotationStored) -> Step[JudgedSample]:
        """Take the answer in, weighed by its annotator's skill. An answer that is there already changes nothing."""
        return measured(_counted(deciding.on_annotation_stored(sample, event, policy, skills.weights(event))), event)

    def on_task_completed(sample: JudgedSample | None, event: TaskCompleted) -> Step[JudgedSample]:
        """Judge once all answers are here. Told again, it changes nothing."""
        return _counted(deciding.on_task_completed(sample, event, policy))

    def on_review_stored(sample: JudgedSample | None, event: ReviewStored) -> Step[JudgedSample]:
        """Do as the reviewer says, once for each revision of the review."""
        return _counted(deciding.on_review_stored(sample, event, policy))

    def on_annotation_voided(sample: JudgedSample | None, event: AnnotationVoided) -> Step[JudgedSample]:
        """Forget the label and ask for another, once."""
        return measured(deciding.on_annotation_voided(sample, event), event)

    def on_review_voided(sample: JudgedSample | None, event: ReviewVoided) -> Step[JudgedSample]:
        """Forget the verdict and ask for another, once."""
        return deciding.on_review_voided(sample, event)

    def on_task_contested(sample: JudgedSample | None, event: TaskContested) -> Step[JudgedSample]:
        """Ask for an adjudicator, once."""
        return deciding.on_task_contested(sample, event)

    def on_checked(sample: JudgedSample | None, event: LabelChecked) -> Step[JudgedSample]:
        """Keep what the rules say of the label, and tell the counters. An older word changes nothing."""
        return measured(on_label_checked(sample, event), event)

    return [
        Route(SampleErased, samples, tombstone, erased_key),
        Route(AnnotationStored, samples, on_annotation_stored, sample_key, enrich=skills.prepare),
        Route(ReviewStored, samples, on_review_stored, sample_key),
        Route(TaskContested, samples, on_task_contested, sample_key),
        Route(AnnotationVoided, samples, on_annotation_voided, sample_key),
        Route(ReviewVoided, samples, on_review_voided, sample_key),
        Route(TaskCompleted, samples, on_task_completed, sample_key),
        Route(LabelChecked, samples, on_checked, sample_key),
    ]


def _measured_judge(spec: ProjectSpec, labels: Sequence[Label], budget: int) -> Judgement:
    with metrics.JUDGE_SECONDS.time():
        judgement = judge(spec, labels, budget=budget)
    metrics.DECISIONS.labels(judgement.decision.value).inc()
    return judgement


def _counted(step: Step[JudgedSample]) -> Step[JudgedSample]:
    """Count what was finalized; a step that loses against another writer and is done again counts again."""
    for event in step.emitted:
        if isinstance(event, LabelFinalized):
            metrics.FINALIZED.labels(event.provenance.decided_by).inc()
    return step
