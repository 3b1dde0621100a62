"""What feedback does with each event."""

from __future__ import annotations

from services.feedback.domain import finding as findings_domain
from services.feedback.domain import model_tally, predicted_sample
from services.feedback.domain.finding import Finding
from services.feedback.domain.model_tally import FindingPolicy, ModelTally
from services.feedback.domain.predicted_sample import PredictedSample
from shared.catalog import Catalog
from shared.erasure import erased_key
from shared.events.annotations import LabelRecorded
from shared.events.erasure import SampleErased
from shared.events.feedback import (
    FindingClosed,
    FindingDismissed,
    FindingOpened,
    FindingProgressed,
    FindingSampleAwaited,
    PredictionJudged,
    PredictionLineFinished,
    PredictionsReceived,
    PredictionSubmitted,
)
from shared.jobs import JobPart, head_key, on_line_finished, on_received, part_key
from shared.labels.spec import ProjectSpec
from shared.ledger import Ledger, Step
from shared.routes import Reaction, Route


def sample_key(event: PredictionSubmitted | LabelRecorded | FindingSampleAwaited) -> str:
    """Return the id of the sample's document."""
    return f"{event.tenant_id}/{event.sample_id}"


def model_key(event: PredictionJudged | FindingClosed) -> str:
    """Return the id of the model version's document; it begins with the tenant."""
    return event.model_key


def finding_key(event: FindingOpened | FindingProgressed | FindingDismissed) -> str:
    """Return the id of the finding's document."""
    return f"{event.tenant_id}/{event.finding_id}"


def create_routes(
    *,
    predictions: Ledger[PredictedSample],
    models: Ledger[ModelTally],
    findings: Ledger[Finding],
    jobs: Ledger[JobPart],
    catalog: Catalog,
    policy: FindingPolicy,
    priority: int,
) -> list[Route | Reaction]:
    """Return the routes.

    Args:
        predictions: What models say of each sample, and what is true of it.
        models: How each model version does.
        findings: What people are asked to look at.
        jobs: Batches of predictions.
        catalog: The project versions that labels were made under.
        policy: When errors become a finding.
        priority: The priority of samples that a finding sends back.
    """

    def spec_of(tenant_id: str, project_id: str, version: int) -> ProjectSpec:
        return catalog.version(tenant_id, project_id, version).spec

    vocabulary = predicted_sample.Vocabulary(spec_of, catalog.taxonomies.content)

    def on_prediction_submitted(sample: PredictedSample | None, event: PredictionSubmitted) -> Step[PredictedSample]:
        """Take the prediction in. The same one again is ``unchanged`` and judged no second time."""
        return predicted_sample.predict(sample, event, vocabulary)

    def on_label_recorded(sample: PredictedSample | None, event: LabelRecorded) -> Step[PredictedSample]:
        """Judge predictions by the label. A revision that is known, or older, changes nothing."""
        return predicted_sample.learn_label(sample, event, vocabulary)

    def on_finding_sample_awaited(sample: PredictedSample | None, event: FindingSampleAwaited) -> Step[PredictedSample]:
        """Ask for a look at the sample. A finding that waits already asks no second time."""
        return predicted_sample.send_back(sample, event, priority)

    def on_prediction_judged(tally: ModelTally | None, event: PredictionJudged) -> Step[ModelTally]:
        """Count the judgement in its sample's place. One that was counted changes nothing."""
        return model_tally.count(tally, event, policy)

    def on_finding_closed(tally: ModelTally | None, event: FindingClosed) -> Step[ModelTally]:
        """Let the next finding of the slice be opened. A finding that is not open changes nothing."""
        return model_tally.close(tally, event, policy)

    return [
        Route(SampleErased, predictions, predicted_sample.erase, erased_key),
        Route(PredictionSubmitted, predictions, on_prediction_submitted, sample_key),
        Route(LabelRecorded, predictions, on_label_recorded, sample_key),
        Route(FindingSampleAwaited, predictions, on_finding_sample_awaited, sample_key),
        Route(PredictionJudged, models, on_prediction_judged, model_key),
        Route(FindingClosed, models, on_finding_closed, model_key),
        Route(FindingOpened, findings, findings_domain.open_finding, finding_key),
        Route(FindingProgressed, findings, findings_domain.progress, finding_key),
        Route(FindingDismissed, findings, findings_domain.dismiss, finding_key),
        Route(PredictionsReceived, jobs, on_received, head_key),
        Route(PredictionLineFinished, jobs, on_line_finished, part_key),
    ]
