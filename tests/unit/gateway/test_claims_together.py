"""Claims that come while requests are under way go together in the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.gateway.claiming import AT_ONCE, MOST_CHARS, MOST_TOGETHER, Line
from services.gateway.inner import Answer
from services.gateway.tasks import MAX_CLAIM_BYTES
from shared.claims import AskedClaim
from shared.errors import UnavailableError


class SlowReplica:
    """Answers a request when it is told to; each claim by its body."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self._gates: list[asyncio.Future[None]] = []

    async def send(self, claims: Sequence[AskedClaim]) -> list[Answer]:
        self.requests.append([claim.body for claim in claims])
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        await gate
        return [Answer(200, {}, claim.body.encode()) for claim in claims]

    async def answer(self, number: int, error: Exception | None = None) -> None:
        if error is None:
            self._gates[number].set_result(None)
        else:
            self._gates[number].set_exception(error)
        await settled()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def asked(line: Line, *bodies: str) -> list[asyncio.Task[Answer]]:
    tasks = [asyncio.create_task(line.ask(AskedClaim(token="t", body=body))) for body in bodies]
    await settled()
    return tasks


async def test_a_claim_that_comes_alone_goes_at_once():
    replica = SlowReplica()
    line = Line(replica.send)

    [answer] = await asked(line, "a")
    await replica.answer(0)

    assert replica.requests == [["a"]]
    assert (await answer).body == b"a"


async def test_those_that_come_meanwhile_go_together_and_each_gets_its_own_answer():
    replica = SlowReplica()
    line = Line(replica.send)
    first = [task for body in "ab"[:AT_ONCE] for task in await asked(line, body)]

    meanwhile = await asked(line, "c", "d", "e")
    assert replica.requests == [["a"], ["b"]]
    await replica.answer(1)
    assert replica.requests == [["a"], ["b"], ["c", "d", "e"]]
    await replica.answer(2)
    await replica.answer(0)

    assert [(await task).body for task in [*first, *meanwhile]] == [b"a", b"b", b"c", b"d", b"e"]


async def test_one_who_went_away_takes_nobody_with_them():
    replica = SlowReplica()
    line = Line(replica.send)
    await asked(line, "a")
    await asked(line, "b")
    gone, waits = await asked(line, "c", "d")

    gone.cancel()
    await settled()
    await replica.answer(0)
    await replica.answer(2)

    assert (await waits).body == b"d"


async def test_a_request_that_fails_is_told_to_all_in_it_and_the_next_goes_on():
    replica = SlowReplica()
    line = Line(replica.send)
    await asked(line, "a")
    await asked(line, "b")
    together = await asked(line, "c", "d")
    await replica.answer(0)

    await replica.answer(2, UnavailableError("gone"))
    [later] = await asked(line, "e")
    await replica.answer(3)

    for task in together:
        with pytest.raises(UnavailableError):
            await task
    assert (await later).body == b"e"


async def test_nobody_waits_longer_in_line_than_a_request_may_take_and_who_left_is_not_claimed_for():
    replica = SlowReplica()
    line = Line(replica.send, patience=0.05)
    under_way = [*await asked(line, "a"), *await asked(line, "b")]
    in_line = await asked(line, "c", "d")

    told = await asyncio.gather(*under_way, *in_line, return_exceptions=True)
    await asked(line, "e")
    await replica.answer(0)

    assert all(isinstance(each, UnavailableError) for each in told)
    assert replica.requests == [["a"], ["b"], ["e"]]


async def test_a_claim_without_an_answer_among_those_that_were_sent_together_waits_for_none():
    gate = asyncio.Event()

    async def forgets_one(claims: Sequence[AskedClaim]) -> list[Answer]:
        await gate.wait()
        return [Answer(200, {}, claim.body.encode()) for claim in claims[: max(1, len(claims) - 1)]]

    line = Line(forgets_one)
    await asked(line, "a")
    await asked(line, "b")
    together = await asked(line, "c", "d")

    gate.set()
    await settled()

    assert all(task.done() and isinstance(task.exception(), ValueError) for task in together)


async def test_long_claims_do_not_keep_others_from_being_read():
    replica = SlowReplica()
    line = Line(replica.send)
    await asked(line, "a")
    await asked(line, "b")

    await asked(line, *["c" * MAX_CLAIM_BYTES] * MOST_TOGETHER, "short")
    await replica.answer(0)
    answered = 2
    while answered < len(replica.requests):
        await replica.answer(answered)
        answered += 1

    assert sum(len(request) for request in replica.requests) == 2 + MOST_TOGETHER + 1
    assert max(sum(map(len, request)) for request in replica.requests) <= MOST_CHARS


async def test_no_request_is_longer_than_the_service_reads():
    replica = SlowReplica()
    line = Line(replica.send)
    await asked(line, "a")
    await asked(line, "b")

    await asked(line, *(f"c{number}" for number in range(MOST_TOGETHER + 1)))
    await replica.answer(0)
    await replica.answer(2)

    assert [len(request) for request in replica.requests] == [1, 1, MOST_TOGETHER, 1]


async def test_who_comes_in_the_moment_in_which_the_last_requests_end_is_not_forgotten():
    replica = SlowReplica()
    line = Line(replica.send, patience=1)
    await asked(line, "a")
    await asked(line, "b")
    for number in range(AT_ONCE):
        replica._gates[number].set_result(None)
    await asyncio.sleep(0)  # both have ended, and nobody has been told of it yet
    asyncio.get_running_loop().call_later(0.01, lambda: replica._gates[AT_ONCE].set_result(None))

    answer = await line.ask(AskedClaim(token="t", body="c"))

    assert answer.body == b"c"
