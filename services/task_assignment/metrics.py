"""What task assignment measures beside what every service does."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

STAGE: Final = ("tenant", "project", "stage")
"""Two tenants may have projects of one name."""

READY = Gauge("labelmesh_task_assignment_ready_slots", "Slots that can be claimed.", [*STAGE, "language"])
OLDEST = Gauge(
    "labelmesh_task_assignment_oldest_ready_age_seconds",
    "How long ago the oldest sample with a slot that can be claimed was ingested, to the minute.",
    [*STAGE, "language"],
)
HELD = Gauge("labelmesh_task_assignment_leases_held", "Slots that somebody holds.", STAGE)
OWNED = Gauge("labelmesh_task_assignment_owned_partitions", "Partitions whose samples are served here.")
WHOLE = Gauge("labelmesh_task_assignment_whole_partitions", "Owned partitions of which every sample is known.")
LATE = Gauge("labelmesh_task_assignment_leases_late", "Leases that have ended, and are not taken back yet.")
EXPIRED = Counter("labelmesh_task_assignment_leases_expired_total", "Leases taken back without an answer.")
SURPLUS = Counter(
    "labelmesh_task_assignment_surplus_total",
    "Answers that do not count, by why: too late (lease-expired), or their slot was not theirs any more (lease-lost).",
    ["reason"],
)
CLAIM_SECONDS = Histogram(
    "labelmesh_task_assignment_claim_duration_seconds",
    "Time from a claim's arrival here to its answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
EMPTY_CLAIMS = Counter("labelmesh_task_assignment_empty_claims_total", "Claims that got nothing, by why.", ["reason"])
SLA_BURN = Gauge(
    "labelmesh_task_assignment_sla_burn_ratio",
    "Share of the open tasks with a due date that are past it, or will be by the forecast.",
    STAGE,
)
SLA_OVERDUE = Gauge("labelmesh_task_assignment_sla_overdue_tasks", "Open tasks past their due date.", STAGE)
SLA_EVENTS = Counter(
    "labelmesh_task_assignment_sla_events_total",
    "What was told of due dates: SlaAtRisk, SlaBreached, SlaRecovered, by cause.",
    ["event", "cause"],
)
