"""The consumer on a real broker: what happens to batches when something goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka import TopicPartition

from shared.consumer import PartitionWatcher
from shared.events import Event
from shared.events.tasks import AnnotationCounted, AnnotationSubmitted
from shared.ids import new_id
from shared.kafka import CLAIM_CHECK_BYTES, Producer
from shared.ledger import Step
from shared.mongo import Database
from shared.settings import SharedSettings
from tests.builders import a_sample_ingested, an_annotation_submitted
from tests.fakes import RecordingPublisher
from tests.integration.conftest import Away
from tests.integration.reading import Replica, begin_at_the_end, dead_letters_of, eventually
from tests.ledger_world import FORGED, Counted, count

NEVER = timedelta(hours=1)


@pytest.fixture
async def group(settings: SharedSettings) -> str:
    name = f"test-{new_id()}"
    await begin_at_the_end(settings, name)
    return name


@pytest.fixture
def tenant() -> str:
    return f"tenant-{new_id()}"


async def test_one_undecodable_record_goes_to_the_dead_letters_and_the_rest_is_applied(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    ingested, answer = a_sample_ingested(tenant_id=tenant), an_annotation_submitted(tenant_id=tenant)
    await producer.publish([ingested])
    nonsense = f"no JSON of {tenant}".encode()
    await producer.publish([answer])
    await producer.raw(answer.topic, nonsense, b"any key", [("ce_type", b"AnnotationSubmitted")])
    later = an_annotation_submitted(tenant_id=tenant)
    await producer.publish([later])

    async with Replica(settings, database, group, publish=RecordingPublisher()) as replica:

        async def is_done() -> bool:
            letters = await dead_letters_of(settings, group)
            counted = await replica.answers(ingested)
            return set(counted) == {answer.event_id, later.event_id} and nonsense in {each.value for each in letters}

        await eventually(is_done)

    [letter] = [each for each in await dead_letters_of(settings, group) if each.value == nonsense]
    headers = dict(letter.headers)
    assert (letter.key, headers["ce_type"], headers["dead_topic"]) == (
        b"any key",
        b"AnnotationSubmitted",
        answer.topic.encode(),
    )
    assert headers["dead_error"] == b"undecodable-event"
    assert b"AnnotationSubmitted" in headers["dead_detail"]


async def test_a_refused_event_goes_to_the_dead_letters_whole(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    ingested = a_sample_ingested(tenant_id=tenant)
    forged = an_annotation_submitted(tenant_id=tenant, lease_id=FORGED, traceparent="00-ab-cd-01")
    await producer.publish([ingested, forged])

    async with Replica(settings, database, group, publish=RecordingPublisher()):
        letters: list[Any] = []

        async def is_buried() -> bool:
            found = await dead_letters_of(settings, group)
            letters[:] = [each for each in found if dict(each.headers).get("ce_id") == forged.event_id.encode()]
            return bool(letters)

        await eventually(is_buried)

    [letter] = letters
    headers = dict(letter.headers)
    assert AnnotationSubmitted.model_validate_json(letter.value).event_id == forged.event_id
    assert (letter.key, headers["traceparent"], headers["dead_error"]) == (
        forged.sample_id.encode(),
        b"00-ab-cd-01",
        b"lease-lost",
    )


async def test_what_no_database_can_keep_is_buried_and_holds_nobody_up(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    answer = an_annotation_submitted(tenant_id=tenant, fields={"quality": 2**70})
    later = an_annotation_submitted(tenant_id=tenant)
    first = an_annotation_submitted(tenant_id=tenant)
    await producer.publish([a_sample_ingested(tenant_id=tenant), first])

    async with Replica(settings, database, group, publish=RecordingPublisher()) as replica:
        await eventually(lambda: _has(replica, first))
        await producer.publish([answer, later])

        async def is_done() -> bool:
            buried = {dict(each.headers).get("ce_id") for each in await dead_letters_of(settings, group)}
            return answer.event_id.encode() in buried and await _has(replica, later)

        await eventually(is_done)
        await eventually(lambda: _is_ready(replica))


async def test_a_process_that_never_committed_is_followed_by_one_that_doubles_nothing(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    ingested = a_sample_ingested(tenant_id=tenant)
    first, second = (an_annotation_submitted(tenant_id=tenant) for _ in range(2))
    await producer.publish([ingested, first])
    before, after = RecordingPublisher(), RecordingPublisher()
    async with Replica(settings, database, group, publish=before, commit_delay=NEVER) as died:
        await eventually(lambda: _has(died, first))

    await producer.publish([second])
    async with Replica(settings, database, group, publish=after, commit_delay=NEVER) as followed:
        await eventually(lambda: _has(followed, second))

        assert await followed.answers(ingested) == (first.event_id, second.event_id)

    def announced(publisher: RecordingPublisher) -> set[str]:
        return {event.event_id for event in publisher.of(AnnotationCounted) if event.tenant_id == tenant}

    assert len(announced(before)) == 1
    assert announced(before) < announced(after)
    assert len(announced(after)) == 2


async def test_committed_offsets_are_not_read_again(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    first, second = (an_annotation_submitted(tenant_id=tenant) for _ in range(2))
    await producer.publish([a_sample_ingested(tenant_id=tenant)])
    await producer.publish([first])
    async with Replica(settings, database, group, publish=RecordingPublisher()) as replica:
        await eventually(lambda: _has(replica, first))
        await asyncio.sleep(2.5)  # the health check commits what is due, though nothing comes in any more

    read: list[str] = []

    async def note(events: Any) -> None:
        read.extend(event.event_id for event in events)

    await producer.publish([second])
    async with Replica(settings, database, group, publish=RecordingPublisher(), before=note) as replica:
        await eventually(lambda: _has(replica, second))

    assert first.event_id not in read


class Begins(PartitionWatcher):
    """Wants every partition read on from an offset so much away from its position; takes its time to say so."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.positions: dict[TopicPartition, int] = {}
        self.folded: dict[TopicPartition, int] = {}

    async def on_assigned(
        self, partitions: Sequence[TopicPartition], positions: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int]:
        self.positions = dict(positions)
        await asyncio.sleep(2)  # what comes meanwhile is fetched from the position
        return {each: max(0, at + self.away) for each, at in positions.items()}

    def on_folded(self, topic: str, partition: int, timestamp_ms: int, offset: int) -> None:
        self.folded[TopicPartition(topic, partition)] = offset


@pytest.mark.parametrize(("away", "again"), [(-1, True), (0, False), (1, False)])
async def test_a_watcher_has_partitions_read_on_from_further_back_and_from_nowhere_else(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str, away: int, again: bool
) -> None:
    ingested = a_sample_ingested(tenant_id=tenant)
    first, second, third = (an_annotation_submitted(tenant_id=tenant) for _ in range(3))
    await producer.publish([ingested, first])
    async with Replica(settings, database, group, publish=RecordingPublisher()) as replica:
        await eventually(lambda: _has(replica, first))
        await asyncio.sleep(2.5)  # the health check commits what is due
    read: list[str] = []

    async def note(events: Any) -> None:
        read.extend(event.event_id for event in events if event.tenant_id == tenant and event.topic == first.topic)

    await producer.publish([second])
    watcher = Begins(away)
    async with Replica(
        settings, database, group, publish=RecordingPublisher(), before=note, watcher=watcher
    ) as replica:
        await eventually(lambda: _has(replica, second))
        [receipt] = await producer.publish([third])
        await eventually(lambda: _has(replica, third))
        place = TopicPartition(first.topic, receipt.partition)
        await eventually(lambda: _is(watcher.folded.get(place) == receipt.offset + 1))

        assert await replica.answers(ingested) == (first.event_id, second.event_id, third.event_id)

    assert read == [each.event_id for each in ((first, second, third) if again else (second, third))]
    assert watcher.positions[place] == receipt.offset - 1


async def _is(holds: bool) -> bool:
    return holds


async def test_two_replicas_share_the_work_and_one_takes_over_from_the_other(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    names = [f"sample-{number}" for number in range(40)]
    ingested = [a_sample_ingested(tenant_id=tenant, external_id=name) for name in names]
    announced = [RecordingPublisher(), RecordingPublisher()]
    one = Replica(settings, database, group, publish=announced[0])
    other = Replica(settings, database, group, publish=announced[1])

    async def all_count(answers: list[AnnotationSubmitted]) -> bool:
        counted = [await other.answers(answer) for answer in answers]
        return all(answer.event_id in found for answer, found in zip(answers, counted, strict=True))

    async with other:
        async with one:
            await asyncio.sleep(4)  # the group settles
            early = [an_annotation_submitted(tenant_id=tenant, sample_id=each.sample_id) for each in ingested]
            await producer.publish([*ingested, *early])
            await eventually(lambda: all_count(early))
            shares = [{event.event_id for event in each.of(AnnotationCounted)} for each in announced]
        late = [an_annotation_submitted(tenant_id=tenant, sample_id=each.sample_id) for each in ingested]
        await producer.publish(late)
        await eventually(lambda: all_count(late))

        counted = [answer_id for each in ingested for answer_id in await other.answers(each)]

    assert sorted(counted) == sorted(event.event_id for event in [*early, *late])
    mine = [{event.event_id for event in each.of(AnnotationCounted) if event.tenant_id == tenant} for each in announced]
    assert len(mine[0] | mine[1]) == 80
    assert all(shares), "one replica had all partitions"


async def test_an_unexpected_exception_is_retried_until_it_passes(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    failures = iter([ValueError("a bug that comes and goes")] * 3)
    answer = an_annotation_submitted(tenant_id=tenant)

    def fragile(state: Counted | None, event: Event) -> Step[Counted]:
        if event.tenant_id == tenant and (error := next(failures, None)):
            raise error
        return count(state, event)

    await producer.publish([a_sample_ingested(tenant_id=tenant)])
    await producer.publish([answer])
    async with Replica(settings, database, group, publish=RecordingPublisher(), step=fragile) as replica:
        await eventually(lambda: _has(replica, answer))

        assert await replica.answers(answer) == (answer.event_id,)


async def test_many_unexpected_exceptions_stop_the_consumer_and_turn_the_service_unready(
    settings: SharedSettings,
    database: Database,
    producer: Producer,
    group: str,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.consumer.MAX_BACKOFF", 0.05)
    answer = an_annotation_submitted(tenant_id=tenant)

    def broken(state: Counted | None, event: Event) -> Step[Counted]:
        if event.event_id == answer.event_id:
            raise ValueError("a bug")
        return count(state, event)

    await producer.publish([a_sample_ingested(tenant_id=tenant)])
    await producer.publish([answer])
    async with Replica(settings, database, group, publish=RecordingPublisher(), step=broken) as replica:

        async def is_unready() -> bool:
            return "a bug" in replica.health.faults.get(f"consumer {group}", "")

        await eventually(is_unready)
        await asyncio.sleep(1.5)  # the checks have run again

        assert await is_unready()

    async with Replica(settings, database, group, publish=RecordingPublisher()) as mended:
        await eventually(lambda: _has(mended, answer))
        await eventually(lambda: _is_ready(mended))


async def test_claim_checks_are_redeemed_before_a_handler_sees_them(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str
) -> None:
    large = an_annotation_submitted(tenant_id=tenant, fields={"note": {"text": "x" * 2 * CLAIM_CHECK_BYTES}})
    await producer.publish([a_sample_ingested(tenant_id=tenant), large])
    publisher = RecordingPublisher()

    async with Replica(settings, database, group, publish=publisher) as replica:
        await eventually(lambda: _has(replica, large))

    [body] = [found async for found in database["answers"].find({"_id": large.event_id})]
    assert body["fields"] == large.fields


async def test_a_broker_that_was_away_turns_the_process_unready_and_all_goes_on_when_it_is_back(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str, away: Away
) -> None:
    first, second = (an_annotation_submitted(tenant_id=tenant) for _ in range(2))
    await producer.publish([a_sample_ingested(tenant_id=tenant)])
    await producer.publish([first])

    async def announce(events: Sequence[Event]) -> None:
        await producer.publish(events)

    async with Replica(settings, database, group, publish=announce) as replica:
        await eventually(lambda: _has(replica, first))
        await eventually(lambda: _is_ready(replica))

        async with away("kafka"):
            await asyncio.sleep(8)
            faults = replica.health.faults
        await producer.publish([second])

        await eventually(lambda: _has(replica, second))
        await eventually(lambda: _is_ready(replica))
        assert await replica.answers(first) == (first.event_id, second.event_id)

    assert "kafka" in faults


async def test_a_database_that_was_away_holds_the_batch_and_loses_nothing(
    settings: SharedSettings, database: Database, producer: Producer, group: str, tenant: str, away: Away
) -> None:
    first, second = (an_annotation_submitted(tenant_id=tenant) for _ in range(2))
    await producer.publish([a_sample_ingested(tenant_id=tenant)])
    await producer.publish([first])
    async with Replica(settings, database, group, publish=RecordingPublisher()) as replica:
        await eventually(lambda: _has(replica, first))

        async with away("mongo"):
            await producer.publish([second])
            await asyncio.sleep(8)

        await eventually(lambda: _has(replica, second), within=60)
        assert await replica.answers(first) == (first.event_id, second.event_id)


async def _has(replica: Replica, answer: AnnotationSubmitted) -> bool:
    return answer.event_id in await replica.answers(answer)


async def _is_ready(replica: Replica) -> bool:
    return not replica.health.faults
