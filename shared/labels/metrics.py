"""What can be measured of a field's quality: the metrics that a project's quality gates may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure about one field."""

    name: str
    meaning: str
    low: float = 0.0
    """The lowest value it can have."""
    high: float | None = 1.0
    """The highest; None where there is none."""
    lower_is_better: bool = False
    kinds: frozenset[str] | None = None
    """The kinds of field that have it; None is all."""
    measured: bool = False
    """Whether QA works it out; a gate on one that it does not is kept, and the check of the spec warns."""


def _of(*kinds: str) -> frozenset[str]:
    return frozenset(kinds)


METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric("krippendorff_alpha", "Agreement beyond chance between annotators.", low=-1.0, measured=True),
        Metric("pairwise_agreement", "Mean likeness of two annotators' answers to one sample.", measured=True),
        Metric("annotator_accuracy", "Mean likeness of annotators' answers to the final label.", measured=True),
        Metric("gold_accuracy", "Mean likeness of answers to gold tasks to the known answer."),
        Metric("macro_f1", "F1 against the known answer, mean over the options.", kinds=_of("choice")),
        Metric(
            "mean_absolute_error",
            "Mean distance from the known answer, in the scale's unit.",
            high=None,
            lower_is_better=True,
            kinds=_of("rating"),
        ),
        Metric("kendall_tau", "Kendall's tau-b against the known order.", low=-1.0, kinds=_of("ranking")),
        Metric(
            "word_error_rate",
            "Words to change, leave out or add, per word of the known text.",
            high=None,
            lower_is_better=True,
            kinds=_of("text", "segments"),
        ),
        Metric(
            "character_error_rate",
            "Characters to change, leave out or add, per character of the known text.",
            high=None,
            lower_is_better=True,
            kinds=_of("text", "regions"),
        ),
        Metric("item_f1", "F1 of items matched with the known ones.", kinds=_of("spans", "moments", "relations")),
        Metric("mean_iou", "Mean intersection over union with the known items.", kinds=_of("regions", "tracks")),
        Metric(
            "diarization_error_rate",
            "Time that is missed, false or of the wrong speaker, per time of known speech.",
            high=None,
            lower_is_better=True,
            kinds=_of("segments"),
        ),
    )
}


def metrics_of(kind: str) -> list[str]:
    """Return the names of the metrics that a kind of field has, those that are measured first."""
    having = [metric for metric in METRICS.values() if metric.kinds is None or kind in metric.kinds]
    return [metric.name for metric in sorted(having, key=lambda metric: not metric.measured)]
