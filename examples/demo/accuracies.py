"""How close answers and labels are to the truth: the only figures that the demo computes itself, for it alone knows it."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from examples.demo.figures import Accuracy
from examples.model import DemoSample
from examples.scoring import accuracy


class LabeledSample(NamedTuple):
    """A sample's label of record, as a dataset holds it, with the single answers behind it."""

    external_id: str
    fields: Mapping[str, Any]
    decided_by: str
    answers: Sequence[Mapping[str, Any]]
    """Fields that each annotator gave in the first pass."""


def compare(
    field: str, kind: str, labeled: Sequence[LabeledSample], truths: Mapping[str, DemoSample]
) -> Accuracy | None:
    """Compare labels and single answers with the truth, over the samples whose truth of the field is known.

    Args:
        field: The field.
        kind: Its kind.
        labeled: Samples with labels and answers.
        truths: Samples with their truths by external id.

    Returns:
        Mean accuracies, 0 to 1, without unit; None when no sample has both a truth and an answer.
    """
    singles: list[float] = []
    labels: list[float] = []
    for sample in labeled:
        truth = (truths[sample.external_id].truth or {}).get(field)
        if truth is None or not sample.answers:
            continue
        singles.append(fmean(accuracy(kind, answer.get(field), truth) for answer in sample.answers))
        labels.append(accuracy(kind, sample.fields.get(field), truth))
    if not labels:
        return None
    return Accuracy(samples=len(labels), single=round(fmean(singles), 4), label=round(fmean(labels), 4))
