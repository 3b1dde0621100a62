"""The desk at which work is given out: claims that arrive together are served together.

A claim first returns the caller's live leases (a lost answer costs nothing), then new ones. How many leases somebody
holds is bounded on their own document, which is written before a slot is tried for; a slot is leased when the
compare-and-set on the sample's document is found to have succeeded. If the process dies in between, nobody has been
told of the lease, and it ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from services.task_assignment.claims import Claim, ClaimAnswer, ClaimRequest, Round
from services.task_assignment.domain.board import Board
from services.task_assignment.domain.picks import Pick
from services.task_assignment.escalation import Escalation
from services.task_assignment.holdings import Holdings
from services.task_assignment.leases import Granted, leased, live_leases
from services.task_assignment.limits import Limits
from services.task_assignment.metrics import CLAIM_SECONDS, EMPTY_CLAIMS
from services.task_assignment.planning import Planner
from services.task_assignment.store import Store, StoredSample
from shared.catalog import Catalog
from shared.clock import Clock, to_ms
from shared.events import Event
from shared.ids import sample_of_task
from shared.kafka import Producer
from shared.security import Lease, Principal

MAX_TRIES: Final = 5
"""How often a claim is tried again when others were faster at all its picks."""
MAX_BATCH: Final = 200


class Desk:
    """Serves claims in batches; one batch at a time."""

    def __init__(
        self,
        store: Store,
        board: Board,
        catalog: Catalog,
        producer: Producer,
        clock: Clock,
        *,
        partitions: int = 1,
        escalation: Escalation | None = None,
    ) -> None:
        self._store = store
        self._limits = Limits(catalog, store, partitions)
        self._planner = Planner(board, catalog, self._limits, clock, escalation)
        self._board = board
        self._producer = producer
        self._clock = clock
        self._waiting: list[Claim] = []
        self._wake = asyncio.Event()

    async def claim(self, request: ClaimRequest) -> ClaimAnswer:
        """Return the caller's live leases and new ones, ``count`` in all at the most."""
        claim = Claim(request, asyncio.get_running_loop().create_future())
        self._waiting.append(claim)
        self._wake.set()
        with CLAIM_SECONDS.time():
            answer = await claim.done
        if not answer.granted:
            EMPTY_CLAIMS.labels(answer.reason or "no-open-tasks").inc()
        return answer

    async def held(self, principal: Principal) -> list[Granted]:
        """Return the live leases of somebody."""
        id_ = f"{principal.tenant_id}/{principal.subject}"
        holdings = (await self._store.holdings([id_]))[id_]
        wanted = {f"{principal.tenant_id}/{sample_of_task(held.task_id)}" for held in holdings.leases}
        return live_leases(holdings, await self._store.samples(wanted), principal.tenant_id, to_ms(self._clock()))

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = self._next_batch()
                try:
                    await self._serve(batch)
                except Exception as error:
                    for claim in batch:
                        if not claim.done.done():
                            claim.done.set_exception(error)

    def _next_batch(self) -> list[Claim]:
        """Take waiting claims, at most one of each annotator, for two would race for the same document."""
        batch: dict[tuple[str, str], Claim] = {}
        later: list[Claim] = []
        for claim in self._waiting:
            who = (claim.request.principal.tenant_id, claim.request.principal.subject)
            if who in batch or len(batch) >= MAX_BATCH:
                later.append(claim)
            else:
                batch[who] = claim
        self._waiting = later
        return list(batch.values())

    async def _serve(self, batch: Sequence[Claim]) -> None:
        rounds = await self._begin(batch)
        try:
            lost = await self._store.write_holdings([each.holdings for each in rounds if _changed(each)])
            trying = [pick for each in rounds if each.holdings.id not in lost for pick in each.picks]
            samples = await self._store.take(trying)
        finally:
            for each in rounds:
                for pick, _ in each.picks:
                    self._board.done_with(pick)
        for stored in samples.values():
            self._board.put(stored.sample, stored.revision)
        await self._answer(rounds, lost, samples)

    async def _begin(self, batch: Sequence[Claim]) -> list[Round]:
        ids = [_annotator_id(claim) for claim in batch]
        annotators, holdings = await asyncio.gather(self._store.annotators(ids), self._store.holdings(ids))
        wanted = {
            f"{claim.request.principal.tenant_id}/{sample_of_task(held.task_id)}"
            for claim, id_ in zip(batch, ids, strict=True)
            for held in holdings[id_].leases
            if not held.is_answered(claim.request.answered)
        }
        samples = await self._store.samples(wanted) if wanted else {}
        await self._limits.prepare(claim.request.principal.tenant_id for claim in batch)
        rounds: list[Round] = []
        for claim, id_ in zip(batch, ids, strict=True):
            try:
                rounds.append(self._planner.plan(claim, annotators.get(id_), holdings[id_], samples))
            except Exception as error:  # it is this claim's own
                if not claim.done.done():
                    claim.done.set_exception(error)
        return rounds

    async def _answer(self, rounds: Sequence[Round], lost: set[str], samples: Mapping[str, StoredSample]) -> None:
        announced: list[Event] = []
        answers: list[tuple[Claim, ClaimAnswer]] = []
        for each in rounds:
            won = [] if each.holdings.id in lost else _granted(each.picks, samples, each.holdings)
            failed = each.holdings.id in lost or len(won) < len(each.picks)
            each.claim.tries += 1
            if failed and not won and not each.live and each.claim.tries < MAX_TRIES:
                self._waiting.append(each.claim)  # others were faster; there may be more
                continue
            announced += [leased(granted.lease, self._clock(), each.claim.request.request_id) for granted in won]
            answers.append((each.claim, ClaimAnswer([*each.live, *won], each.reason, each.retry_after)))
        await self._producer.answer_for(announced)
        for claim, answer in answers:
            if not claim.done.done():
                claim.done.set_result(answer)


def _annotator_id(claim: Claim) -> str:
    return f"{claim.request.principal.tenant_id}/{claim.request.principal.subject}"


def _changed(round_: Round) -> bool:
    """Return whether the holder's document has to be written: to bound new leases, or to strike off answered ones."""
    return bool(round_.picks) or round_.has_struck_off


def _granted(
    picks: Sequence[tuple[Pick, Lease]], samples: Mapping[str, StoredSample], holdings: Holdings
) -> list[Granted]:
    found: list[Granted] = []
    seen = {held.lease_id: held.seen for held in holdings.leases}
    for pick, lease in picks:
        stored = samples.get(pick.document_id)
        task = None if stored is None else stored.sample.tasks.get(pick.task_key)
        slot = None if task is None else task.slots.get(pick.slot)
        if stored is not None and slot is not None and slot.lease_id == lease.lease_id:
            found.append(Granted(lease, stored.sample, seen.get(lease.lease_id, 0)))
    return found
