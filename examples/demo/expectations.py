"""What must be true after a run. The demo fails when one of these is not."""

from collections.abc import Callable
from statistics import fmean
from typing import Final, NamedTuple

from examples.demo.figures import Figures, ProjectFigures, Report
from examples.demo.plan import spec_of

ENOUGH_UNITS: Final = 2
"""Alpha compares what differs within samples with what differs between them; of one sample it says nothing."""


class Outcome(Figures):
    """An expectation, and whether it was met."""

    sentence: str
    met: bool
    found: str


class Expectation(NamedTuple):
    """A sentence that must be true of the report."""

    sentence: str
    holds: Callable[[Report], bool]
    found: Callable[[Report], str]
    """The figures that it is judged by, in words."""


def check(report: Report) -> list[Outcome]:
    """Hold the report to all expectations."""
    return [Outcome(sentence=each.sentence, met=each.holds(report), found=each.found(report)) for each in EXPECTATIONS]


def _each(holds: Callable[[ProjectFigures], bool]) -> Callable[[Report], bool]:
    return lambda report: all(holds(project) for project in report.projects)


def _sum(count: Callable[[ProjectFigures], int]) -> Callable[[Report], int]:
    return lambda report: sum(count(project) for project in report.projects)


_rejected = _sum(lambda project: project.states.get("rejected", 0))
_corrupt = _sum(lambda project: project.sent.corrupt)
_failed_lines = _sum(lambda project: project.failed_lines)
_malformed = _sum(lambda project: project.sent.malformed)
_ingested = _sum(lambda project: project.ingested)
_good = _sum(lambda project: project.sent.samples)
_final = _sum(lambda project: project.states.get("final", 0))
_expired = _sum(lambda project: project.leases_expired)
_served_again = _sum(lambda project: project.served_again)
_answers = _sum(lambda project: project.annotations.get("first_pass", 0))
_asked = _sum(lambda project: project.sent.samples * spec_of(project.project)["quality"]["overlap"])
_frozen = _sum(lambda project: project.datasets[0].samples)


def _agreed(report: Report) -> tuple[float, float]:
    """Return the mean accuracy over the support fields of single annotators and of their consensus."""
    found = [field.consensus for field in report.project("support").fields if field.consensus]
    return fmean(each.single for each in found), fmean(each.label for each in found)


def _verdicts(report: Report) -> tuple[int, int]:
    """Return how many warnings and how many verdicts the rules of support gave."""
    rules = report.project("support").rules
    return sum(rule.warned for rule in rules), sum(rule.passed + rule.warned for rule in rules)


def _without_alpha(report: Report) -> list[str]:
    return [
        f"{project.project}.{field.field}"
        for project in report.projects
        for field in project.fields
        if field.units >= ENOUGH_UNITS and field.alpha is None
    ]


def _fields(report: Report) -> int:
    return sum(field.units >= ENOUGH_UNITS for project in report.projects for field in project.fields)


def _worked_off(report: Report) -> int:
    return sum(finding.state == "worked_off" for finding in report.model.findings)


def _exports_are_whole(report: Report) -> bool:
    exports = [export for project in report.projects for export in project.exports]
    formats = {export.format for export in exports}
    return {"jsonl", "coco"} <= formats and all(0 < each.size == each.promised and each.records for each in exports)


def _looked_at(report: Report) -> int:
    return report.model.diff.changed + report.model.diff.reverified


EXPECTATIONS: Final = (
    Expectation(
        "The corrupt file is rejected, and no other sample is.",
        lambda report: _rejected(report) == _corrupt(report),
        lambda report: f"{_rejected(report)} rejected, {_corrupt(report)} corrupt sent",
    ),
    Expectation(
        "Every faulty line of the imports is refused with a reason: the corrupt file's and the malformed one.",
        lambda report: (
            _failed_lines(report) == _corrupt(report) + _malformed(report)
            and _failed_lines(report) == sum(len(project.faults) for project in report.projects)
        ),
        lambda report: f"{_failed_lines(report)} lines refused, {_corrupt(report) + _malformed(report)} faulty sent",
    ),
    Expectation(
        "Every good sample is ingested.",
        lambda report: _ingested(report) == _good(report),
        lambda report: f"{_ingested(report)} of {_good(report)}",
    ),
    Expectation(
        "Each sample was answered by as many annotators as its project asks for, or more.",
        lambda report: _answers(report) >= _asked(report),
        lambda report: f"{_answers(report)} answers count, at least {_asked(report)} asked for",
    ),
    Expectation(
        "The leases of the two who vanished ended by themselves: at least one each.",
        lambda report: _expired(report) >= 2,
        lambda report: f"{_expired(report)} leases expired",
    ),
    Expectation(
        "What they held was served again, and answered by others.",
        lambda report: 2 <= _expired(report) == _served_again(report),
        lambda report: f"{_served_again(report)} of {_expired(report)} served again and answered",
    ),
    Expectation(
        "Every good sample has its final label.",
        lambda report: _final(report) == _good(report),
        lambda report: f"{_final(report)} of {_good(report)}",
    ),
    Expectation(
        "Agreement (alpha) is defined for every field that two samples or more have.",
        lambda report: not _without_alpha(report),
        lambda report: ", ".join(_without_alpha(report)) or f"{_fields(report)} fields",
    ),
    Expectation(
        "On support, the consensus is at least as accurate as the mean single annotator on the same samples.",
        lambda report: _agreed(report)[1] >= _agreed(report)[0],
        lambda report: "single {:.3f}, consensus {:.3f}".format(*_agreed(report)),
    ),
    Expectation(
        "The cross-modal rule judged every answer on support, and warned of some.",
        lambda report: (
            _verdicts(report)[0] > 0
            and _verdicts(report)[1] >= report.project("support").annotations.get("first_pass", 0)
        ),
        lambda report: "{} warnings in {} verdicts".format(*_verdicts(report)),
    ),
    Expectation(
        "Reviewers looked at consensus labels.",
        lambda report: sum(report.project("support").reviews.values()) > 0,
        lambda report: f"{sum(report.project('support').reviews.values())} verdicts on support",
    ),
    Expectation(
        "Each project's first dataset holds all of its good samples.",
        _each(lambda project: project.datasets[0].samples == project.sent.samples),
        lambda report: f"{_frozen(report)} of {_good(report)} in {len(report.projects)} datasets",
    ),
    Expectation(
        "Each export was downloaded, as long as it was written; COCO is among them.",
        _exports_are_whole,
        lambda report: f"{sum(len(project.exports) for project in report.projects)} files",
    ),
    Expectation(
        "Every prediction of the model was taken in and judged.",
        lambda report: (
            report.model.sent == report.model.accepted
            and bool(report.model.errors)
            and all(each.judged == report.model.sent for each in report.model.errors)
        ),
        lambda report: f"{report.model.accepted} of {report.model.sent} taken in",
    ),
    Expectation(
        "The model's errors opened a finding, and it closed when its samples had been looked at again.",
        lambda report: _worked_off(report) >= 1,
        lambda report: f"{len(report.model.findings)} opened, {_worked_off(report)} worked off",
    ),
    Expectation(
        "The second dataset differs from the first in what was corrected or confirmed.",
        lambda report: (
            len({each.dataset_id for each in report.project("support").datasets}) == 2 and _looked_at(report) > 0
        ),
        lambda report: f"{report.model.diff.changed} changed, {report.model.diff.reverified} confirmed",
    ),
)
