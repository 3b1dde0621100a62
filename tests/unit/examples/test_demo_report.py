"""The demo's report: what it computes, what it expects, and how it tells."""

import io
import json

import pytest
from rich.console import Console

from examples.compose import PROJECTS, demo_samples
from examples.demo.accuracies import LabeledSample, compare
from examples.demo.expectations import EXPECTATIONS, check
from examples.demo.figures import (
    Accuracy,
    DatasetFigures,
    DiffFigures,
    ExportFigures,
    FieldErrors,
    FieldFigures,
    FindingFigures,
    ModelFigures,
    ProjectFigures,
    Report,
    RuleFigures,
    Sent,
)
from examples.demo.plan import LEASE_SECONDS, DemoSettings, NotConfiguredError, Run, spec_of
from examples.demo.report import SIMULATED, show_report, write_report
from examples.demo.setup import line_of
from examples.demo.workforce import crews
from examples.simulation import ANNOTATORS, REVIEWERS


def a_field(**changes):
    agreed = Accuracy(samples=2, single=0.8, label=0.9)
    valid = {"field": "intent", "kind": "choice", "alpha": 0.7, "low": 0.5, "high": 0.9, "units": 2}
    return FieldFigures(**valid | {"record": agreed, "consensus": agreed} | changes)


def a_project(name="support", **changes):
    tags = [f"{name}-1-v1", f"{name}-1-v2"] if name == "support" else [f"{name}-1-v1"]
    kinds = ["jsonl", "coco"] if name == "blood-cells" else ["jsonl"]
    valid = {
        "project": name,
        "project_id": f"{name}-1",
        "title": name,
        "sent": Sent(samples=2, corrupt=0, malformed=0),
        "lines": 2,
        "ingested": 2,
        "failed_lines": 0,
        "faults": [],
        "states": {"final": 2},
        "tasks": {"first_pass": 2},
        "slots": {"first_pass": {"done": 6}},
        "leases_expired": 0,
        "annotations": {"first_pass": 6},
        "late": 0,
        "reviews": {"accept": 1},
        "decided_by": {"consensus": 1, "review": 1},
        "fields": [a_field()],
        "rules": [RuleFigures(rule="sentiment-matches-tone", severity="warn", passed=5, warned=1)],
        "datasets": [
            DatasetFigures(dataset_id=f"id of {tag}", tag=tag, samples=2, decided_by={}, languages={}) for tag in tags
        ],
        "exports": [
            ExportFigures(format=kind, tag=tags[0], path=f"/x/{name}.{kind}", size=9, promised=9, records=2)
            for kind in kinds
        ],
    }
    return ProjectFigures(**valid | changes)


def a_model(**changes):
    finding = {"finding_id": "f", "field": "intent", "slice": "a -> b", "error_rate": 0.3, "samples": 1}
    worked_off = FindingFigures(**finding, state="worked_off", changed=1, confirmed=0, waiting=0)
    valid = {
        "model": "m",
        "version": "1",
        "sent": 2,
        "accepted": 2,
        "errors": [FieldErrors(field="intent", error_rate=0.5, judged=2, erring=1)],
        "findings": [worked_off],
        "diff": DiffFigures(before="v1", after="v2", changed=1, reverified=0, unchanged=1, fields={}, examples=[]),
    }
    return ModelFigures(**valid | changes)


def a_report(model=None, **projects):
    """A report of a good run; keyword arguments replace figures of a project (with _ for -)."""
    expired = {"leases_expired": 2} | projects.get("support", {})
    corrupt = {
        "sent": Sent(samples=2, corrupt=1, malformed=0),
        "states": {"final": 2, "rejected": 1},
        "failed_lines": 1,
        "faults": ["cut off"],
    } | projects.get("blood_cells", {})
    special = {"support": expired, "blood-cells": corrupt}
    return Report(
        run="1",
        simulated=SIMULATED,
        seconds=60.0,
        steps={},
        projects=[a_project(name, **special.get(name, {})) for name in PROJECTS],
        model=model or a_model(),
        addresses={"gateway": "http://127.0.0.1:18080"},
    )


def test_a_good_run_meets_every_expectation():
    outcomes = check(a_report())

    assert [outcome.sentence for outcome in outcomes if not outcome.met] == []
    assert len(outcomes) == len(EXPECTATIONS)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (a_report(support={"states": {"final": 1, "open": 1}}), ["final label"]),
        (a_report(support={"states": {"final": 2, "rejected": 1}}), ["corrupt file"]),
        (a_report(blood_cells={"failed_lines": 0, "faults": []}), ["faulty line"]),
        (a_report(support={"ingested": 1}), ["ingested"]),
        (a_report(support={"annotations": {"first_pass": 5}}), ["as many annotators"]),
        (a_report(support={"leases_expired": 0}), ["vanished", "served again"]),
        (a_report(support={"slots": {"first_pass": {"done": 5, "free": 1}}}), ["served again"]),
        (a_report(support={"fields": [a_field(alpha=None, undefined="one category")]}), ["alpha"]),
        (a_report(support={"rules": []}), ["cross-modal rule"]),
        (a_report(support={"reviews": {}}), ["Reviewers looked"]),
        (a_report(model=a_model(accepted=1)), ["Every prediction"]),
        (a_report(model=a_model(findings=[])), ["opened a finding"]),
    ],
)
def test_a_run_with_a_flaw_fails_the_expectation_about_it(report, words):
    failed = [outcome.sentence for outcome in check(report) if not outcome.met]

    assert len(failed) == len(words)
    assert all(word in sentence for word, sentence in zip(words, failed, strict=True))


def test_a_consensus_worse_than_its_annotators_is_not_as_expected():
    worse = Accuracy(samples=2, single=0.9, label=0.8)

    outcomes = check(a_report(support={"fields": [a_field(consensus=worse)]}))

    [failed] = [outcome for outcome in outcomes if not outcome.met]
    assert failed.found == "single 0.900, consensus 0.800"


def test_an_export_that_is_shorter_than_it_was_written_is_not_as_expected():
    cut = ExportFigures(format="jsonl", tag="support-1-v1", path="/x", size=8, promised=9, records=2)

    failed = [outcome.sentence for outcome in check(a_report(support={"exports": [cut]})) if not outcome.met]

    assert len(failed) == 1 and "export" in failed[0]


def test_a_second_dataset_that_is_the_first_one_is_not_as_expected():
    same = DatasetFigures(dataset_id="same", tag="t", samples=2, decided_by={}, languages={})

    failed = [outcome.sentence for outcome in check(a_report(support={"datasets": [same, same]})) if not outcome.met]

    assert len(failed) == 1 and "second dataset" in failed[0]


def test_alpha_of_a_single_sample_is_neither_shown_nor_expected():
    report = a_report(support={"fields": [a_field(units=1, alpha=None)]})

    failed = [outcome for outcome in check(report) if not outcome.met]

    assert failed == []


def test_a_slot_that_is_still_empty_was_not_served_again():
    project = a_project(leases_expired=3, slots={"first_pass": {"done": 5, "leased": 1}, "senior_qa": {"free": 4}})

    assert project.served_again == 2


def test_accuracy_compares_answers_and_label_over_the_same_samples():
    truths = {sample.external_id: sample for sample in demo_samples() if sample.project == "support"}
    first, second, unanswered = list(truths)[:3]
    right, wrong = truths[first].truth, {"intent": "no_request"}
    labeled = [
        LabeledSample(first, right, "consensus", [right, wrong]),
        LabeledSample(second, wrong, "consensus", [wrong]),
        LabeledSample(unanswered, right, "review", []),
    ]

    found = compare("intent", "choice", labeled, truths)

    assert found == Accuracy(samples=2, single=0.25, label=0.5)


def test_accuracy_of_a_field_that_nobody_answered_is_none():
    truths = {sample.external_id: sample for sample in demo_samples()}

    assert compare("intent", "choice", [], truths) is None


def test_the_report_says_that_people_and_model_are_simulated_and_where_the_stack_is():
    console = Console(width=200, file=io.StringIO(), record=True)
    report = a_report()

    show_report(report, check(report), console)

    text = console.export_text()
    assert "12 annotators, the 2 reviewers and the model are SIMULATED" in text
    assert "http://127.0.0.1:18080" in text
    assert all(project in text for project in PROJECTS)


def test_the_report_is_written_as_json_with_what_was_expected_of_it(tmp_path):
    report = a_report(support={"reviews": {}})

    write_report(report, check(report), tmp_path / "new" / "demo.json")

    told = json.loads((tmp_path / "new" / "demo.json").read_text())
    assert told["passed"] is False
    assert [each["sentence"] for each in told["expectations"] if not each["met"]] == [
        "Reviewers looked at consensus labels."
    ]
    assert told["projects"][0]["leases_served_again"] == 2
    assert told["simulated"] == SIMULATED


def test_projects_are_published_as_their_files_state_with_short_leases():
    spec = spec_of("support")

    assert spec["workflow"] == {"peer_review": 0.2, "lease_seconds": LEASE_SECONDS}


def test_runs_never_meet():
    early, late = Run("1124-080000"), Run("1124-080001")

    assert not set(early.project_ids.values()) & set(late.project_ids.values())
    assert early.tag("support", 1) == "support-1124-080000-v1"


def test_everybody_works_and_those_who_vanish_share_a_process_with_nobody_else():
    found = crews()

    assert sorted(name for names in found for name in names) == sorted(
        person.name for person in (*ANNOTATORS, *REVIEWERS)
    )
    assert ["goran", "jun"] in found


def test_a_line_names_the_uploads_of_its_files():
    sample = next(sample for sample in demo_samples() if sample.project == "support")
    uploads = {("support", asset.file): f"upload-{slot}" for slot, asset in sample.assets.items() if asset.file}

    line = line_of(sample, uploads)

    assert line["assets"]["screenshot"] == {"upload": "upload-screenshot"}
    assert line["assets"]["chat"]["text"]
    assert line["assets"]["ticket"]["record"]["number"].startswith("T-")
    assert line["language"] == sample.language


def test_a_demo_without_settings_says_how_to_start_it():
    with pytest.raises(NotConfiguredError, match="make demo"):
        DemoSettings.read({"LABELMESH_GATEWAY_URL": "http://127.0.0.1:18080"})
