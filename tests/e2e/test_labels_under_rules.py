"""Rules from submit to label of record, and again when they change: the whole stack, as its clients see it."""

from __future__ import annotations

from typing import Any

import pytest

from shared.ids import new_id
from tests.e2e.gateway import MEDIA, a_spec, answer, assert_problem, claim_one, found, until

ONE = {"quality": {"overlap": 1}}


def a_rule(expression: str, **changes: Any) -> dict[str, Any]:
    return {"id": "tell-only", "expression": expression, "message": {"en": "Tell.", "de": "Erzähl."}} | changes


def republish(http: Any, project: str, *rules: dict[str, Any]) -> int:
    response = http.put(f"/v1/projects/{project}", json=a_spec(**ONE, rules=list(rules)))
    assert response.status_code in {200, 201}, response.text
    return int(response.json()["version"])


@pytest.fixture(scope="module")
def ana(gateway):
    """An annotator's HTTP client."""
    with gateway.http(gateway.key_of(f"ana-{new_id()}")) as client:
        yield client


def test_a_blocking_rule_marks_what_it_refuses_in_the_annotators_language(gateway, ana):
    project = gateway.publish(a_spec(**ONE, rules=[a_rule("fields.intent == 'tell'", severity="block")]))
    gateway.submit(project)
    task = claim_one(ana, project)

    refused = answer(ana, task, {"intent": "ask"}, accept_language="de")
    taken = answer(ana, task, {"intent": "tell"})

    problem = assert_problem(refused, 422, "invalid-body")
    assert problem["errors"] == [{"pointer": "/fields/intent", "code": "rule-tell-only", "message": "Erzähl."}]
    assert taken.status_code == 202


def test_labels_are_held_against_the_rules_and_again_when_these_change(gateway, owner, ana):
    project = gateway.publish(a_spec(**ONE, rules=[a_rule("fields.intent == 'ask' || assets.chat.text_length > 3")]))
    sample = gateway.submit(project)
    assert answer(ana, claim_one(ana, project), {"intent": "ask"}).status_code == 202

    def said_by(version: int) -> Any:
        label = found(owner.get(f"/v1/samples/{sample}/label"))
        said = None if label is None else label["rules"]
        return said if said is not None and said["project_version"] == version else None

    def counted(passed: int, failed: int) -> Any:
        report = owner.get(f"/v1/projects/{project}/consistency").json()
        return report if (report["labels"]["passed"], report["labels"]["failed"]) == (passed, failed) else None

    first = until(lambda: said_by(1), "what the rules say of the new label")
    until(lambda: counted(1, 0), "the count of labels that keep the rule")
    version = republish(owner, project, a_rule("fields.intent == 'tell'"))
    second = until(lambda: said_by(version), "what the changed rules say of it")
    report = until(lambda: counted(0, 1), "the count of labels that do not keep the changed rule")
    job = until(lambda: finished(owner, report["recheck_job"]), "the end of the job")

    assert [each["passed"] for each in first["verdicts"]] == [True]
    assert [(each["passed"], each["marks"]) for each in second["verdicts"]] == [(False, ["/fields/intent"])]
    assert report["least_consistent"] == [{"sample_id": sample, "consistency": 0.0}]
    assert (job["done"], job["total"], job["outcomes"]) == (1, 1, {"checked": 1})


def test_rules_compare_times_on_the_clock_that_the_samples_assets_share(gateway, ana):
    """The second recording begins two seconds after the first, so the same times in both are not the same moment."""
    voice = {"kind": "segments", "labels": ["word"]}
    spec = a_spec(
        **ONE,
        assets={"first": {"modality": "audio"}, "second": {"modality": "audio", "clock": {"offset": 99.0}}},
        fields={"here": voice | {"asset": "first"}, "there": voice | {"asset": "second", "required": True}},
        objective={"goal": "Align.", "output": "predictive", "modalities": ["audio"], "downstream": ["training"]},
        rules=[
            a_rule(
                "fields.here.all(a, fields.there.all(b, !overlaps(a, b)))",
                severity="block",
                marks=["fields.there.filter(b, fields.here.exists(a, overlaps(a, b)))"],
            )
        ],
    )
    project = gateway.publish(spec)
    recording = MEDIA / "audio" / "jfk.flac"
    assets = {slot: gateway.upload(project, recording) for slot in ("first", "second")}
    gateway.submit(project, assets=assets, clocks={"second": {"offset": 2.0}})
    task = claim_one(ana, project)

    def words(*starts: float) -> list[dict[str, Any]]:
        return [{"id": f"w{at:g}", "start": at, "end": at + 0.5, "label": "word"} for at in starts]

    refused = answer(ana, task, {"here": words(3.0), "there": words(3.0, 1.0)})
    taken = answer(ana, task, {"here": words(3.0), "there": words(3.0)})

    assert task["assets"]["second"]["clock"] == {"offset": 2.0, "rate": 1.0}
    problem = assert_problem(refused, 422, "invalid-body")
    assert [each["pointer"] for each in problem["errors"]] == ["/fields/there/1"]
    assert taken.status_code == 202


def finished(http: Any, job_id: str) -> Any:
    job = found(http.get(f"/v1/jobs/{job_id}"))
    return job if job is not None and job["state"] == "done" else None
