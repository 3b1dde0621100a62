"""How samples keep the rules across modalities: per sample in its own document, per project in counters by partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from services.qa.domain.sample import JudgedSample
from services.qa.domain.skill import Accuracy, share_of
from shared.events import Event
from shared.events.annotations import LabelChecked
from shared.events.quality import ConsistencyMeasured
from shared.labels.verdicts import RuleVerdict
from shared.ledger import Step

Counts = dict[str, dict[str, int]]
"""By rule and its hash, by ``<answers or label>_<outcome>``."""


class ConsistencyCount(BaseModel):
    """What the rules said of a project's samples in one partition, added up."""

    model_config = ConfigDict(frozen=True)

    project_id: str
    counts: Counts = {}
    errors: dict[str, str] = {}
    """By rule and its hash: why it could not be run, the last time that it could not."""


class Outcomes(BaseModel):
    """How often a rule was met, and how sure that share is."""

    model_config = ConfigDict(frozen=True)

    passed: int = 0
    failed: int = 0
    not_applied: int = 0
    """A field or an asset that the rule is about was absent."""
    errors: int = 0
    """The rule could not be run: a fault of the project."""

    @property
    def share(self) -> Accuracy:
        """The share of what the rule applied to that met it, with its Wilson interval; ``answers`` is n."""
        return share_of(self.passed, self.failed)


def rule_key(rule_id: str, rule_hash: str) -> str:
    """Return the name under which a rule is counted; what a changed rule says is counted apart."""
    return f"{rule_id}@{rule_hash}"


def on_label_checked(sample: JudgedSample | None, event: LabelChecked) -> Step[JudgedSample]:
    """Keep what the rules say of the label of record. What is older than what is known changes nothing."""
    sample = sample or JudgedSample(sample_id=event.sample_id, project_id=event.project_id)
    checked = (event.revision, event.project_version)
    if checked <= (sample.checked_revision, sample.checked_version):
        return Step(sample)
    changed = {"checked_revision": checked[0], "checked_version": checked[1], "label_verdicts": tuple(event.verdicts)}
    return Step(sample.model_copy(update=changed))


def measured(step: Step[JudgedSample], cause: Event) -> Step[JudgedSample]:
    """Tell what the rules say of a sample where it is not what was told last; keep both with the sample."""
    sample = step.state
    if sample is None or step.waits:
        return step
    counts = counts_of(sample)
    changes = changes_between(sample.told, counts)
    if not changes:
        return step
    told = ConsistencyMeasured.caused_by(
        cause,
        part=sample.sample_id,
        counter_id=f"{sample.project_id}/{cause.log_partition}",
        project_id=sample.project_id,
        sample_id=sample.sample_id,
        changes=changes,
        errors={rule_key(each.rule_id, each.rule_hash): each.error for each in _verdicts(sample) if each.error},
    )
    changed = sample.model_copy(update={"told": counts, "consistency": consistency_of(sample)})
    return Step(changed, [*step.emitted, told], step.bodies)


def on_consistency_measured(count: ConsistencyCount | None, event: ConsistencyMeasured) -> Step[ConsistencyCount]:
    """Add a sample's changes; the ledger sees to it that each counts once."""
    count = count or ConsistencyCount(project_id=event.project_id)
    sums = added([count.counts, event.changes])
    return Step(count.model_copy(update={"counts": sums, "errors": count.errors | event.errors}))


def counts_of(sample: JudgedSample) -> Counts:
    """Count a sample's verdicts by rule and outcome: of its answers, and of its label of record."""
    counts: dict[str, Counter[str]] = {}
    answers = [verdict for label in sample.answers for verdict in label.verdicts]
    for what, verdicts in (("answers", answers), ("label", sample.label_verdicts)):
        for verdict in verdicts:
            outcomes = counts.setdefault(rule_key(verdict.rule_id, verdict.rule_hash), Counter())
            outcomes[f"{what}_{_outcome(verdict)}"] += 1
    return {rule: dict(outcomes) for rule, outcomes in counts.items()}


def changes_between(before: Counts, after: Counts) -> Counts:
    """Return what has to be added to the one to get the other, without zeros."""
    found: Counts = {}
    for rule in {*before, *after}:
        old, new = before.get(rule, {}), after.get(rule, {})
        changed = {name: new.get(name, 0) - old.get(name, 0) for name in sorted({*old, *new})}
        if kept := {name: change for name, change in changed.items() if change}:
            found[rule] = kept
    return found


def consistency_of(sample: JudgedSample) -> float | None:
    """Return a sample's consistency.

    Returns:
        The share of rules that its label of record meets, of those that apply to it; before there are verdicts on a
        label, the same of its answers together. None where no rule applies.
    """
    label = [verdict.passed for verdict in sample.label_verdicts if verdict.passed is not None]
    answers = [each.passed for label in sample.answers for each in label.verdicts if each.passed is not None]
    said = label or answers
    return sum(said) / len(said) if said else None


def added(counts: Iterable[Mapping[str, Mapping[str, int]]]) -> Counts:
    """Add counters up, and leave out what has come to nothing."""
    sums: dict[str, Counter[str]] = {}
    for count in counts:
        for rule, outcomes in count.items():
            sums.setdefault(rule, Counter()).update(outcomes)
    kept = {rule: {name: n for name, n in outcomes.items() if n} for rule, outcomes in sums.items()}
    return {rule: outcomes for rule, outcomes in kept.items() if outcomes}


def outcomes_in(counts: Mapping[str, int], what: str) -> Outcomes:
    """Return what was counted of ``answers`` or of the ``label``."""
    return Outcomes(**{name: counts.get(f"{what}_{name}", 0) for name in Outcomes.model_fields})


def _verdicts(sample: JudgedSample) -> list[RuleVerdict]:
    return [*(verdict for label in sample.answers for verdict in label.verdicts), *sample.label_verdicts]


def _outcome(verdict: RuleVerdict) -> str:
    if verdict.passed is not None:
        return "passed" if verdict.passed else "failed"
    return "not_applied" if verdict.error is None else "errors"
