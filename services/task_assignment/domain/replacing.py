"""Whether a sample may have other assets: as long as nobody was given those it has."""

from __future__ import annotations

from services.task_assignment.domain.tasks import SampleTasks
from shared.events.replacements import ReplacementDecided, ReplacementProposed
from shared.ledger import Step, wait


def on_replacement_proposed(sample: SampleTasks | None, event: ReplacementProposed) -> Step[SampleTasks]:
    """Let its tasks rest until the sample is told of anew, or say what stands in the way.

    Claims and this are writes to one document, so nobody is given the old assets once this has said yes.
    """
    if sample is None:
        return wait(sample)
    reason = _in_the_way(sample)
    decided = ReplacementDecided.caused_by(
        event, sample_id=event.sample_id, attempt=event.attempt, granted=not reason, reason=reason
    )
    return Step(sample if reason else _resting(sample), [decided])


def _in_the_way(sample: SampleTasks) -> str:
    states = {slot.state for task in sample.tasks.values() for slot in task.slots.values()}
    if sample.finalized or "done" in states:
        return "there is an answer about the assets that it has"
    if "leased" in states:
        return "somebody is working on it"
    # Whoever gave it back has links, a draft and perhaps a gateway that remembers the old facts.
    return "somebody has had it before" if sample.contributors else ""


def _resting(sample: SampleTasks) -> SampleTasks:
    resting = [key for key, task in sample.tasks.items() if task.open]
    tasks = {
        key: task.model_copy(update={"open": False}) if key in resting else task for key, task in sample.tasks.items()
    }
    return sample.model_copy(update={"tasks": tasks, "resting": sorted({*sample.resting, *resting})})
