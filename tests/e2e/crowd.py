"""A crowd of annotators who work, dawdle, change their minds and die, each a coroutine of its own."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

OFTEN_ENOUGH = 0.3
"""Seconds between claims of somebody for whom there is nothing."""


@dataclass
class Crowd:
    """People with keys, and what happened to them."""

    url: str
    project: str
    keys: Mapping[str, str]
    """Annotator by key."""
    lease_seconds: int
    happened: Counter[str] = field(default_factory=Counter)
    accepted: dict[str, str] = field(default_factory=dict)
    """Annotator by annotation id, of every answer that was accepted and not taken back by its author."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> None:
        """Work until ``over`` is set."""
        connector = aiohttp.TCPConnector(limit=64)
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(self.url, connector=connector, timeout=timeout) as session:
            await asyncio.gather(*(self._person(session, key, who) for key, who in self.keys.items()))

    async def _person(self, session: aiohttp.ClientSession, key: str, who: str) -> None:
        dice = random.Random(who)
        headers = {"authorization": f"Bearer {key}"}
        while not self.over.is_set():
            claim = await self._ask(
                session, "/v1/tasks/claim", headers, {"count": dice.randint(1, 3), "project": self.project}
            )
            tasks = [] if claim is None else claim["tasks"]
            self.happened["claims"] += len(tasks)
            for task in tasks:
                if not await self._do(session, headers, who, task, dice):
                    self.happened["deaths"] += 1
                    return
            if not tasks:
                await asyncio.sleep(OFTEN_ENOUGH * dice.uniform(1, 3))

    async def _do(
        self,
        session: aiohttp.ClientSession,
        headers: dict[str, str],
        who: str,
        task: Mapping[str, Any],
        dice: random.Random,
    ) -> bool:
        """Do something with a task; False when the annotator dies over it."""
        path, holding = f"/v1/tasks/{task['task']}", headers | {"lease-token": task["lease"]["token"]}
        fate = dice.random()
        if fate < 0.015:
            return False
        if fate < 0.06:
            verb, body = dice.choice([("release", {}), ("skip", {"reason": "unclear"})])
            await self._ask(session, f"{path}/{verb}", holding, body)
            self.happened[verb] += 1
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
                self.accepted[answer["annotation_id"]] = who
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
                    assert answer.status in {429, 503}, f"{path}: {answer.status} {await answer.text()}"
            except (aiohttp.ClientError, TimeoutError):
                self.happened["unanswered"] += 1
            await asyncio.sleep(OFTEN_ENOUGH)
        return None


async def stop_when(crowd: Crowd, is_done: Any, others: Sequence[asyncio.Task[Any]]) -> None:
    """Let the crowd work until something holds; what goes on beside them ends, too."""
    working = asyncio.create_task(crowd.work())
    try:
        while not await asyncio.to_thread(is_done):
            if working.done():
                break
            await asyncio.sleep(1)
    finally:
        crowd.over.set()
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await working
