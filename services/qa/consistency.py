"""What the gateway may ask of QA about rules: how answers, labels and samples keep them."""

# The annotations of routes are evaluated here, for they name a type that is local to ``create_consistency_router``.

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from services.qa.api import CallerOf, version_of
from services.qa.domain.consistency import ConsistencyCount, Counts, Outcomes, added, outcomes_in, rule_key
from services.qa.store import QaQueries
from shared.catalog import Catalog
from shared.ids import recheck_job_of
from shared.ledger import Ledger
from shared.security import Principal

LISTED_SAMPLES: Final = 50


class OutcomesView(BaseModel):
    """How often a rule is met, with the 95 % interval of that share (Wilson)."""

    passed: int
    failed: int
    not_applied: int = Field(description="It says nothing about these: a field or an asset is absent.")
    errors: int = Field(description="It could not be run on these: a fault of the project.")
    n: int = Field(description="What it applies to: passed and failed.")
    score: float | None = Field(description="passed / n; null where it applies to nothing.")
    low: float
    high: float

    @classmethod
    def of(cls, outcomes: Outcomes) -> "OutcomesView":
        """Show outcomes."""
        share = outcomes.share
        n = int(share.answers)
        score = share.estimate if n else None
        return cls(**outcomes.model_dump(), n=n, score=score, low=share.low, high=share.high)


class RuleView(BaseModel):
    """How one rule is kept."""

    rule_id: str
    rule_hash: str = Field(description="Names the rule as it was; a changed rule is counted anew.")
    severity: str | None = Field(description="In the newest version; null for a rule that it does not have.")
    is_current: bool = Field(description="Whether the newest version has the rule just so.")
    labels: OutcomesView = Field(description="Of labels of record.")
    answers: OutcomesView = Field(description="Of annotators' newest answers.")
    error: str | None = Field(description="Why it could not be run, the last time that it could not.")


class SampleScore(BaseModel):
    """How one sample keeps the rules."""

    sample_id: str
    consistency: float = Field(description="Share of the rules that apply which its label, or else its answers, meet.")


class ConsistencyReport(BaseModel):
    """How a project's answers, labels and samples keep its rules."""

    project_id: str
    project_version: int
    labels: OutcomesView = Field(description="Current rules over all labels of record together.")
    answers: OutcomesView = Field(description="Current rules over all answers together.")
    rules: list[RuleView] = Field(
        description="The newest version's rules in its order, then what is counted of others."
    )
    least_consistent: list[SampleScore] = Field(description="The samples that keep the rules least.")
    recheck_job: str | None = Field(
        description="The job that holds labels against the newest rules, where they differ from those before."
    )


class Counters:
    """A project's counters over all partitions."""

    def __init__(self, ledger: Ledger[ConsistencyCount], partitions: int) -> None:
        self._ledger = ledger
        self._partitions = partitions

    async def read(self, tenant_id: str, project_id: str) -> tuple[Counts, Mapping[str, str]]:
        """Return what was counted, and the last error of each rule."""
        ids = [f"{tenant_id}/{project_id}/{partition}" for partition in range(self._partitions)]
        found = (await self._ledger.read(ids)).values()
        errors = {rule: error for count in found for rule, error in count.errors.items()}
        return added(count.counts for count in found), errors


def create_consistency_router(
    caller_of: CallerOf, queries: QaQueries, counters: Counters, catalog: Catalog
) -> APIRouter:
    """Return the route about rules.

    Args:
        caller_of: Tells who calls.
        queries: Reads samples.
        counters: Reads what was counted.
        catalog: The projects.
    """
    router = APIRouter(prefix="/v1/projects/{project_id}")
    Caller = Annotated[Principal, Depends(caller_of)]  # noqa: N806 - a type, local because it needs the service

    @router.get("/consistency")
    async def get_consistency(project_id: str, caller: Caller) -> ConsistencyReport:
        """Return how often labels and answers keep each rule, and which samples keep them least."""
        version = await version_of(catalog, caller, project_id)
        counts, errors = await counters.read(caller.tenant_id, project_id)
        current = {rule_key(rule.id, rule.digest): str(rule.severity) for rule in version.spec.rules}
        severities = {rule.id: str(rule.severity) for rule in version.spec.rules}
        of_current = added({"all": counts[rule]} for rule in current if rule in counts).get("all", {})
        before = [each for each in catalog.versions(caller.tenant_id, project_id) if each.number == version.number - 1]
        is_rechecked = bool(before) and not version.spec.judges_like(before[0].spec)
        worst = await queries.least_consistent(caller.tenant_id, project_id, LISTED_SAMPLES)
        return ConsistencyReport(
            project_id=project_id,
            project_version=version.number,
            labels=OutcomesView.of(outcomes_in(of_current, "label")),
            answers=OutcomesView.of(outcomes_in(of_current, "answers")),
            rules=[
                _rule_view(rule, counts.get(rule, {}), errors.get(rule), severities, is_current=rule in current)
                for rule in [*current, *sorted(counts.keys() - current.keys())]
            ],
            least_consistent=[SampleScore(sample_id=sample, consistency=score) for sample, score in worst],
            recheck_job=recheck_job_of(caller.tenant_id, project_id, version.number) if is_rechecked else None,
        )

    return router


def _rule_view(
    rule: str, counts: Mapping[str, int], error: str | None, severities: Mapping[str, str], *, is_current: bool
) -> RuleView:
    rule_id, _, rule_hash = rule.rpartition("@")
    return RuleView(
        rule_id=rule_id,
        rule_hash=rule_hash,
        severity=severities.get(rule_id),
        is_current=is_current,
        labels=OutcomesView.of(outcomes_in(counts, "label")),
        answers=OutcomesView.of(outcomes_in(counts, "answers")),
        error=error,
    )
