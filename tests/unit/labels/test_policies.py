from typing import Any

import pytest

from shared.labels.policies import WITHOUT_FORCE, AssignmentPolicy, QualityPolicy, Sla, Workflow, without_force
from shared.labels.project import ProjectSpec, check_spec
from tests.unit.labels.label_builders import a_raw_spec, a_spec

EVERYTHING: dict[str, Any] = {
    "workflow": {
        "peer_review": 0.2,
        "senior_qa": 0.05,
        "audit": {"aql": 0.65, "level": "S-3", "lot_size": 1_200},
        "adjudication": False,
        "lease_seconds": 300,
        "max_lease_seconds": 7_200,
    },
    "assignment": {
        "order": "breadth_first",
        "random_within": 20,
        "skills": {"radiology": 3},
        "max_held": 3,
        "max_per_day": 400,
        "max_in_project": 5_000,
        "max_share": 0.25,
        "diversity": {"by": "region", "max_share": 0.5},
        "working_hours": {"zone": "Europe/Berlin", "days": ["mon", "fri"], "start": "22:00", "end": "06:00"},
        "skip": {"then": "return_later", "return_after_seconds": 60, "remove_after": 3},
    },
    "quality": {"overlap": 3, "max_overlap": 5, "quorum": 0.7, "confident": 0.95, "gold_share": 0.05},
    "sla": {
        "hours": 48,
        "warn_hours": 8,
        "near_hours": 12,
        "urgent_hours": 2,
        "rise": 5,
        "open_to": ["reviewer", "adjudicator"],
    },
}


def test_every_policy_can_be_stated_and_reads_back_from_its_json():
    spec = a_spec(**EVERYTHING)

    stated = spec.to_json()

    assert {name: stated[name] for name in EVERYTHING} == EVERYTHING
    assert ProjectSpec.model_validate(stated) == spec


def test_what_nothing_acts_on_says_so_in_its_description_and_when_it_is_set():
    told = {warning.pointer for warning in check_spec(a_raw_spec(**EVERYTHING)).warnings}

    for name, model in ProjectSpec.policies().items():
        for setting, field in model.model_fields.items():
            marked = isinstance(field.json_schema_extra, dict) and "without_force" in field.json_schema_extra
            assert marked == (field.description or "").endswith(WITHOUT_FORCE)
            assert marked == (f"/{name}/{setting}" in told)


@pytest.mark.parametrize("policy", [Workflow(), AssignmentPolicy(), QualityPolicy(), Sla()])
def test_a_policy_that_nobody_stated_promises_nothing(policy):
    assert list(without_force(policy)) == []
    assert policy.faults() == []


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"workflow": {"audit": {"aql": 0.7}}}, ("/workflow/audit/aql", "unknown-value")),
        ({"workflow": {"audit": {"level": "IV"}}}, ("/workflow/audit/level", "unknown-value")),
        ({"workflow": {"audit": {"leval": "I"}}}, ("/workflow/audit/leval", "unknown-key")),
        ({"workflow": {"max_lease_seconds": 60}}, ("/workflow/max_lease_seconds", "out-of-range")),
        ({"workflow": {"senior_qa": 2}}, ("/workflow/senior_qa", "out-of-range")),
        ({"assignment": {"order": "random"}}, ("/assignment/order", "unknown-value")),
        ({"assignment": {"skip": {"then": "remove"}}}, ("/assignment/skip/then", "unknown-value")),
        ({"assignment": {"skip": {"remove_after": 0}}}, ("/assignment/skip/remove_after", "out-of-range")),
        ({"assignment": {"skills": {"x ray": 1}}}, ("/assignment/skills/x ray", "malformed")),
        ({"assignment": {"max_share": 0}}, ("/assignment/max_share", "out-of-range")),
        ({"assignment": {"diversity": {"max_share": 0.3}}}, ("/assignment/diversity/max_share", "contradiction")),
        (
            {"assignment": {"working_hours": {"zone": "Mars/Olympus"}}},
            ("/assignment/working_hours/zone", "unknown-value"),
        ),
        ({"assignment": {"working_hours": {"zone": "../etc"}}}, ("/assignment/working_hours/zone", "unknown-value")),
        ({"assignment": {"working_hours": {"zone": ""}}}, ("/assignment/working_hours/zone", "unknown-value")),
        ({"assignment": {"working_hours": {"start": "24:00"}}}, ("/assignment/working_hours/start", "malformed")),
        (
            {"assignment": {"working_hours": {"start": "08:00", "end": "08:00"}}},
            ("/assignment/working_hours/end", "out-of-range"),
        ),
        (
            {"assignment": {"working_hours": {"days": ["mon", "mon"]}}},
            ("/assignment/working_hours/days", "duplicate"),
        ),
        ({"quality": {"confident": 1}}, ("/quality/confident", "out-of-range")),
        ({"sla": {"hours": 4, "warn_hours": 4}}, ("/sla/warn_hours", "out-of-range")),
        ({"sla": {"near_hours": 2}}, ("/sla/urgent_hours", "out-of-range")),
    ],
)
def test_each_contradiction_has_its_pointer_and_code(changes: dict[str, Any], fault: tuple[str, str]):
    assert [(found.pointer, found.code) for found in check_spec(a_raw_spec(**changes)).faults] == [fault]


def test_a_key_that_a_nested_policy_does_not_know_is_told_with_the_nearest():
    [fault] = check_spec(a_raw_spec(workflow={"audit": {"lot_sise": 5}})).faults

    assert 'did you mean "lot_size"?' in fault.message
