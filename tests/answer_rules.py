"""What every store of answers keeps: the same rules for the one in memory and the one on MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from services.gateway.idempotency import KEPT_FOR, Answers, KeptAnswer, Record
from shared.ids import new_id
from tests.builders import MORNING, TENANT

SECOND = timedelta(seconds=1)


class MemoryAnswers:
    """Records in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Record] = {}

    async def reserve(self, record: Record, now: datetime) -> Record:
        found = self.kept.get(record.id)
        if found is None or found.expires_at <= now:
            self.kept[record.id] = found = record
        return found

    async def keep(self, record: Record) -> Record:
        found = self.kept.get(record.id)
        if found is not None and found.cause == record.cause and found.answer is None:
            self.kept[record.id] = found = record
        return found or record

    async def release(self, record: Record) -> None:
        found = self.kept.get(record.id)
        if found is not None and found.cause == record.cause and found.answer is None:
            del self.kept[record.id]

    async def forget(self, now: datetime, limit: int) -> int:
        expired = [id_ for id_, record in self.kept.items() if record.expires_at <= now][:limit]
        for id_ in expired:
            del self.kept[id_]
        return len(expired)


def a_record(id_: str = f"{TENANT}/key-1", body_hash: str | None = "hash-1", now: datetime = MORNING) -> Record:
    return Record(id_, TENANT, now + KEPT_FOR, body_hash, cause=new_id())


def answered(record: Record, body: bytes | None = b'{"sample_id":"s"}') -> Record:
    return replace(record, answer=KeptAnswer(202, body, "application/json"))


class AnswerRules:
    """Tests; a subclass has a fixture ``answers``."""

    async def test_who_comes_first_has_the_key_until_it_expires(self, answers: Answers) -> None:
        first, second = a_record(), a_record(body_hash="hash-2")
        later = a_record(body_hash="hash-3", now=MORNING + KEPT_FOR)

        found = [
            await answers.reserve(first, MORNING),
            await answers.reserve(second, MORNING + KEPT_FOR - SECOND),
            await answers.reserve(later, MORNING + KEPT_FOR),
            await answers.reserve(second, MORNING + KEPT_FOR),
        ]

        assert found == [first, first, later, later]

    async def test_the_first_answer_stays(self, answers: Answers) -> None:
        record = await answers.reserve(a_record(), MORNING)

        first = await answers.keep(answered(record))
        second = await answers.keep(answered(record, b"another"))
        found = await answers.reserve(a_record(), MORNING)

        assert first == second == found == answered(record)

    async def test_a_stream_gets_its_hash_with_its_answer_and_a_secret_has_no_body(self, answers: Answers) -> None:
        stream = await answers.reserve(a_record(body_hash=None), MORNING)
        secret = await answers.reserve(a_record("acme/key-2"), MORNING)

        await answers.keep(answered(replace(stream, body_hash="hash-of-all")))
        await answers.keep(answered(secret, None))

        found = [await answers.reserve(a_record(id_), MORNING) for id_ in (stream.id, secret.id)]
        assert (found[0].body_hash, found[0].cause) == ("hash-of-all", stream.cause)
        assert found[1] == answered(secret, None)

    async def test_a_reservation_is_dropped_only_while_it_has_no_answer_and_only_by_its_maker(
        self, answers: Answers
    ) -> None:
        record = await answers.reserve(a_record(), MORNING)

        await answers.release(replace(record, cause="another"))
        still = await answers.reserve(a_record(), MORNING)
        await answers.release(record)
        anew = await answers.reserve(a_record(), MORNING)
        await answers.keep(answered(anew))
        await answers.release(anew)

        assert still == record
        assert anew != record
        assert await answers.reserve(a_record(), MORNING) == answered(anew)

    async def test_an_answer_that_comes_after_the_key_has_expired_changes_nothing(self, answers: Answers) -> None:
        slow = await answers.reserve(a_record(), MORNING)
        later = await answers.reserve(a_record(now=MORNING + KEPT_FOR), MORNING + KEPT_FOR)

        kept = await answers.keep(answered(slow))

        assert kept == later

    async def test_what_has_expired_is_dropped_a_bounded_number_at_a_time(self, answers: Answers) -> None:
        for number in range(3):
            await answers.reserve(a_record(f"acme/old-{number}"), MORNING)
        fresh = await answers.reserve(a_record("acme/fresh", now=MORNING + SECOND), MORNING)

        dropped = [await answers.forget(MORNING + KEPT_FOR, limit=2) for _ in range(3)]

        assert dropped == [2, 1, 0]
        assert await answers.reserve(a_record("acme/fresh"), MORNING) == fresh
