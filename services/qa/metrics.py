"""What QA measures beside what every service does."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

JUDGE_SECONDS = Histogram(
    "labelmesh_qa_judge_duration_seconds",
    "Time to judge the labels of one sample.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
DECISIONS = Counter("labelmesh_qa_decisions_total", "Judgements by what they led to.", ["decision"])
FINALIZED = Counter("labelmesh_qa_labels_finalized_total", "Labels that were decided, by who decided.", ["decided_by"])
