"""A crowd of annotators who work, dawdle, change their minds and die, each a coroutine of its own."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from bench.client import BenchError
from bench.project import Annotator

DEATHS: Final = 0.015
"""How often somebody dies over a task."""
OFTEN_ENOUGH: Final = 0.3
"""Seconds between claims of somebody for whom there is nothing."""
WAYS_OUT: Final[Sequence[tuple[str, dict[str, str], str]]] = (
    ("release", {}, "released"),
    ("skip", {"reason": "unclear"}, "skipped"),
)
"""(verb, body, what it is called afterwards)"""


@dataclass
class Crowd:
    """People with keys, and what happened to them. Who dies is followed by somebody new."""

    url: str
    project: str
    people: Sequence[Annotator]
    """In the order in which they come to work."""
    at_once: int
    """How many of them work at a time."""
    lease_seconds: int
    happened: Counter[str] = field(default_factory=Counter)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> None:
        """Work until ``over`` is set.

        Raises:
            BenchError: The gateway gave an answer that no annotator should get.
        """
        connector = aiohttp.TCPConnector(limit=64)
        timeout = aiohttp.ClientTimeout(total=60)
        coming = iter(self.people)
        async with aiohttp.ClientSession(self.url, connector=connector, timeout=timeout) as session:
            await asyncio.gather(*(self._place(session, coming) for _ in range(self.at_once)))

    async def _place(self, session: aiohttp.ClientSession, coming: Iterator[Annotator]) -> None:
        for person in coming:
            await self._person(session, person)
            if self.over.is_set():
                return

    async def _person(self, session: aiohttp.ClientSession, person: Annotator) -> None:
        dice = random.Random(int(person.name.rpartition("-")[2]))
        headers = {"authorization": f"Bearer {person.key}"}
        while not self.over.is_set():
            claim = await self._ask(
                session, "/v1/tasks/claim", headers, {"count": dice.randint(1, 3), "project": self.project}
            )
            tasks = [] if claim is None else claim["tasks"]
            self.happened["claims"] += len(tasks)
            for task in tasks:
                if not await self._do(session, headers, task, dice):
                    self.happened["deaths"] += 1
                    return
            if not tasks:
                await asyncio.sleep(OFTEN_ENOUGH * dice.uniform(1, 3))

    async def _do(
        self,
        session: aiohttp.ClientSession,
        headers: dict[str, str],
        task: Mapping[str, Any],
        dice: random.Random,
    ) -> bool:
        """Do something with a task; False when the annotator dies over it."""
        path, holding = f"/v1/tasks/{task['task']}", headers | {"lease-token": task["lease"]["token"]}
        fate = dice.random()
        if fate < DEATHS:
            return False
        if fate < 0.06:
            verb, body, done = dice.choice(WAYS_OUT)
            await self._ask(session, f"{path}/{verb}", holding, body)
            self.happened[done] += 1
            return True
        if fate < 0.10:
            prolonged = await self._ask(session, f"{path}/heartbeat", holding, {})
            if prolonged is not None:
                self.happened["heartbeats"] += 1
                holding["lease-token"] = prolonged["token"]
        if fate > 0.97:
            self.happened["dawdled"] += 1
            await asyncio.sleep(self.lease_seconds + dice.uniform(3, 8))  # about the end of the grace
        for _ in range(2 if fate < 0.14 else 1):
            answer = await self._ask(
                session, f"{path}/annotations", holding, {"fields": {"intent": "ask"}, "confidence": dice.random()}
            )
            if answer is None:
                self.happened["refused"] += 1
            else:
                self.happened["accepted"] += 1
        return True

    async def _ask(
        self, session: aiohttp.ClientSession, path: str, headers: Mapping[str, str], body: Mapping[str, Any]
    ) -> Any:
        """POST, again while nobody answers; None when it is refused."""
        while not self.over.is_set():
            try:
                async with session.post(path, json=body, headers=headers) as answer:
                    if answer.status < 300:
                        return {} if answer.status == 204 else await answer.json()
                    if answer.status in {409, 404}:
                        return None
                    if answer.status not in {429, 503}:
                        raise BenchError(f"{path} was answered {answer.status}: {await answer.text()}")
            except (aiohttp.ClientError, TimeoutError):
                self.happened["unanswered"] += 1
            await asyncio.sleep(OFTEN_ENOUGH)
        return None
