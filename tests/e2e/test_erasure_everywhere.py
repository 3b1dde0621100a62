"""A sample that was labeled, predicted and frozen is erased, and no service gives anything of it any more."""

from __future__ import annotations

import json

from tests.e2e.gateway import a_spec, answer, assert_problem, claim_one, in_state, until


def test_an_erased_sample_is_gone_everywhere_and_the_job_says_so(gateway, owner):
    project = gateway.publish(a_spec(quality={"overlap": 1}))
    assets = {"chat": {"text": "My name is Ada, and this is private."}}
    sample_id = gateway.submit(project, external_id="private", assets=assets)
    with gateway.http(gateway.key_of("ada-reads")) as ana:
        task = claim_one(ana, project)
        annotation = answer(ana, task, {"intent": "ask"}, prefer="wait=20").json()["annotation_id"]
        until(lambda: owner.get(f"/v1/samples/{sample_id}/label").status_code == 200, "a label of record")
        predicted = {"external_id": "private", "model": "m", "version": "1", "fields": {"intent": "tell"}}
        owner.post(f"/v1/projects/{project}/predictions", content=json.dumps(predicted))
        frozen = owner.post(f"/v1/projects/{project}/datasets", json={}).json()["job_id"]
        with gateway.client() as client:
            dataset = client.wait_for(frozen, 90).result["dataset_id"]

            job_id = owner.delete(f"/v1/samples/{sample_id}").json()["job_id"]
            job = client.wait_for(job_id, 90)

        assert_problem(owner.get(f"/v1/samples/{sample_id}"), 410, "gone")
        for path in (f"samples/{sample_id}/label", f"annotations/{annotation}", f"samples/{sample_id}/assets/chat"):
            assert owner.get(f"/v1/{path}").status_code in {404, 410}, path
        assert ana.post("/v1/tasks/claim", json={"project": project}).json()["tasks"] == []

    assert (job.state, job.done) == ("done", 6)
    until(lambda: owner.get(f"/v1/datasets/{dataset}").json()["erased_samples"] == 1, "a dataset that says so")
    gateway.submit(project, external_id="private", assets=assets)
    other = gateway.submit(project, external_id="other", assets=assets)
    until(lambda: in_state(owner, other, "ingested"), "a sample that came after it")
    assert owner.get(f"/v1/samples/{sample_id}").status_code == 410
