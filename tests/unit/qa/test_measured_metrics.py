"""What a spec's gates may take for measured is what QA's reports hold."""

from services.qa.api import AccuracyView
from services.qa.domain.report import FieldAgreement
from shared.labels.metrics import METRICS

WHERE = {
    "krippendorff_alpha": (FieldAgreement, "alpha"),
    "pairwise_agreement": (FieldAgreement, "pairwise"),
    "annotator_accuracy": (AccuracyView, "accuracy"),
}


def test_every_measured_metric_stands_in_a_report():
    assert {metric.name for metric in METRICS.values() if metric.measured} == WHERE.keys()
    for report, name in WHERE.values():
        assert name in report.__annotations__
