"""A labeling tool that publishes to Kafka, as its authors would write it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.ids import new_id
from tests.e2e.gateway import a_spec, found, until

RULE = {"id": "tell-only", "expression": "fields.intent == 'tell'", "severity": "block", "message": "Tell."}


def publish(kafka: str, topic: str, key: str, *bodies: dict[str, Any]) -> None:
    async def send() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=kafka)
        await producer.start()
        try:
            for body in bodies:
                headers = [("authorization", f"Bearer {key}".encode())]
                await producer.send_and_wait(topic, json.dumps(body).encode(), headers=headers)
        finally:
            await producer.stop()

    asyncio.run(send())


def refusals(kafka: str, wanted: str) -> list[dict[str, Any]]:
    """Return what was refused under a tool's id, waiting until there is something."""

    async def read() -> list[dict[str, Any]]:
        consumer = AIOKafkaConsumer(
            "annotation.refused.v1", bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None
        )
        await consumer.start()
        try:
            async with asyncio.timeout(60):
                async for record in consumer:
                    told = json.loads(record.value)
                    if told["id"] == wanted:
                        return [told]
        finally:
            await consumer.stop()
        return []

    return asyncio.run(read())


def test_a_tool_publishes_answers_and_is_told_what_is_refused(stack, gateway, owner):
    kafka = stack.settings()["LABELMESH_KAFKA_BOOTSTRAP"]
    project = gateway.publish(a_spec(rules=[RULE], quality={"overlap": 2, "max_overlap": 2, "quorum": 0.6}))
    key = gateway.key_of("tool", "integration")
    name = new_id()
    sample = gateway.submit(project, external_id=name)
    until(lambda: found(owner.get(f"/v1/samples/{sample}")), "the sample")
    until(lambda: is_open(owner, project), "a task of the sample")

    def an_answer(who: str, intent: str = "tell", **more: Any) -> dict[str, Any]:
        known = {"id": f"{who}-{name}", "project": project, "external_id": name, "annotator_id": who}
        return known | {"fields": {"intent": intent}} | more

    publish(kafka, "external.annotation.v1", key, an_answer("ana", "ask"), an_answer("ana"), an_answer("ana"))
    publish(kafka, "external.annotation.v1", key, an_answer("bo"))
    publish(kafka, "external.annotation.v1", "lm_wrong", an_answer("eve"))

    label = until(lambda: found(owner.get(f"/v1/samples/{sample}/label")), "the label of two tools' answers", 60)
    publish(kafka, "external.annotation.v1", key, an_answer("chi"))
    surplus = until(lambda: surplus_of(owner, sample), "the answer that found no slot", 60)
    [by_rule] = refusals(kafka, f"ana-{name}")
    [unknown] = refusals(kafka, f"eve-{name}")

    assert (label["fields"], label["provenance"]["annotators"]) == ({"intent": "tell"}, ["ana", "bo"])
    assert [(each["annotator_id"], each["surplus"]) for each in surplus] == [("chi", "task-closed")]
    assert [fault["code"] for fault in by_rule["faults"]] == ["rule-tell-only"]
    assert [fault["code"] for fault in unknown["faults"]] == ["unauthenticated"]
    assert unknown["tenant_id"] == ""


def is_open(http: Any, project: str) -> bool:
    return bool(http.get(f"/v1/projects/{project}/progress").json()["samples"].get("open"))


def surplus_of(http: Any, sample: str) -> list[dict[str, Any]]:
    annotations = http.get(f"/v1/samples/{sample}/annotations").json()["items"]
    return [each for each in annotations if each["surplus"] is not None]
