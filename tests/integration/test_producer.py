"""The producer on a real broker: what an answer rests on."""

from __future__ import annotations

import asyncio
import time

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from shared.clock import to_ms, utc_now
from shared.errors import LabelmeshError, NotFoundError, UnavailableError
from shared.events import EVENTS, decode
from shared.events.samples import SampleSubmitted
from shared.events.tasks import Ticked
from shared.ids import new_id
from shared.kafka import CLAIM_CHECK_BYTES, Producer, Receipt, body_of, create_topics, is_transient
from shared.media import Media
from shared.settings import SharedSettings
from tests.builders import a_dataset_cut, a_sample_submitted, a_tick, an_annotation_submitted
from tests.integration.conftest import Away


async def record_at(settings: SharedSettings, topic: str, receipt: Receipt) -> ConsumerRecord:
    """Return the record that a receipt is about."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap)
    await consumer.start()
    try:
        place = TopicPartition(topic, receipt.partition)
        consumer.assign([place])
        consumer.seek(place, receipt.offset)
        return await asyncio.wait_for(consumer.getone(), 10)
    finally:
        await consumer.stop()


async def test_topics_are_there_and_made_once(settings: SharedSettings) -> None:
    assert await create_topics(settings) == []

    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        assert {event.topic for event in EVENTS} <= set(await admin.list_topics())
    finally:
        await admin.close()


async def test_a_topic_that_the_broker_refuses_is_an_error(
    settings: SharedSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    impossible = [NewTopic(f"needs-three-brokers-{new_id()}", 1, 3)]
    monkeypatch.setattr("shared.kafka.topics", lambda _settings: impossible)

    with pytest.raises(LabelmeshError, match=r"could not be created: .*replicat"):
        await create_topics(settings)


async def test_a_large_event_travels_as_a_claim_check(
    settings: SharedSettings, producer: Producer, object_store: Media
) -> None:
    large = a_sample_submitted(metadata={"note": "x" * (3 * CLAIM_CHECK_BYTES)})

    [receipt] = await producer.publish([large])

    record = await record_at(settings, large.topic, receipt)
    assert record.value == b"{}"
    body = await body_of(record, object_store)
    assert decode({"SampleSubmitted": SampleSubmitted}, body, list(record.headers), 0) == large


async def test_a_large_record_without_an_object_store_or_object_is_a_declared_fault(
    settings: SharedSettings, producer: Producer, object_store: Media
) -> None:
    large = a_sample_submitted(metadata={"note": "x" * CLAIM_CHECK_BYTES})
    [receipt] = await producer.publish([large])
    record = await record_at(settings, large.topic, receipt)
    await object_store.remove(dict(record.headers)["claim_check"].decode())

    with pytest.raises(LabelmeshError):
        await body_of(record, None)
    with pytest.raises(NotFoundError):
        await body_of(record, object_store)


async def test_what_a_topic_of_submissions_is_stamped_with_is_the_brokers_time(producer: Producer) -> None:
    before = to_ms(utc_now())

    [stamped] = await producer.publish([an_annotation_submitted(occurred_at="2020-01-01T00:00:00Z")])

    assert before - 1000 <= stamped.timestamp_ms <= to_ms(utc_now()) + 1000


async def test_marks_go_to_the_partition_that_they_name(producer: Producer) -> None:
    cuts = [a_dataset_cut(partition=partition) for partition in (0, 5, 11)]

    receipts = await producer.publish(cuts)
    tick = await producer.publish_to(a_tick(), Ticked.topic, 7)

    assert [receipt.partition for receipt in [*receipts, tick]] == [0, 5, 11, 7]


async def test_events_of_one_sample_stand_in_order_in_one_partition(producer: Producer) -> None:
    receipts = await producer.publish([an_annotation_submitted(external_id="one sample") for _ in range(50)])

    assert len({receipt.partition for receipt in receipts}) == 1
    assert [receipt.offset for receipt in receipts] == sorted(receipt.offset for receipt in receipts)


async def test_a_producer_that_a_refused_batch_has_broken_is_renewed(
    settings: SharedSettings, producer: Producer
) -> None:
    narrow = f"narrow-{new_id()}"
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(narrow, 1, 1, topic_configs={"max.message.bytes": "1000"})])
    await admin.close()
    await producer.raw(narrow, b"small", None, [])
    with pytest.raises(MessageSizeTooLargeError):
        await producer.raw(narrow, b"x" * 5_000, None, [])

    failures = []
    for _ in range(50):
        try:
            receipt = await producer.raw(narrow, b"small again", None, [])
            break
        except KafkaError as error:
            failures.append(error)
            await asyncio.sleep(0.1)

    assert failures and all(is_transient(error) for error in failures)
    assert receipt.offset == 1


async def test_nobody_is_answered_while_the_broker_is_away_and_all_goes_on_when_it_is_back(
    settings: SharedSettings, producer: Producer, away: Away
) -> None:
    asked = an_annotation_submitted()
    async with away("kafka"):
        started = time.monotonic()
        with pytest.raises(UnavailableError) as refused:
            await producer.answer_for([asked], timeout=2)
        assert time.monotonic() - started < 4
        assert refused.value.retry_after
        await asyncio.sleep(6)

    [receipt] = await producer.answer_for([asked], timeout=20)

    record = await record_at(settings, asked.topic, receipt)
    assert dict(record.headers)["ce_id"] == asked.event_id.encode()
    assert len(await producer.publish([an_annotation_submitted() for _ in range(100)])) == 100
