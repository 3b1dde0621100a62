"""A service's routes as its consumer drives them, without a broker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from shared.events import Event
from shared.ledger import DeadLetter, Delivery, Position
from shared.routes import Reaction, Route, apply_together, group_routes, split_at


class Receiver:
    """Hands batches to routes; each topic is one partition that remembers how long it is."""

    def __init__(self, routes: Sequence[Route | Reaction], partition: int = 0) -> None:
        self._groups = group_routes(routes)
        self._marks = {route.event for route in routes if isinstance(route, Reaction) and route.is_mark}
        self._partition = partition
        self.lengths: Counter[str] = Counter()
        """By topic, the offset at which the next event will stand."""
        self._received: list[Delivery] = []

    async def receive(self, *events: Event) -> list[DeadLetter]:
        """Append events to their topics and apply them as one batch; return what no retry can help."""
        batch = [self._append(event) for event in events]
        self._received += batch
        return await self._apply(batch)

    async def receive_all_again(self) -> list[DeadLetter]:
        """Apply everything again, in the order of the log, as after a crash before the first commit."""
        return await self._apply(self._received)

    async def receive_again_from(self, offsets: Mapping[str, int]) -> list[DeadLetter]:
        """Apply again what stands at these offsets of topics, or behind them."""
        positions = [(each, each.position) for each in self._received]
        return await self._apply([each for each, at in positions if at.offset >= offsets.get(at.topic, at.offset + 1)])

    def _append(self, event: Event) -> Delivery:
        offset = self.lengths[event.topic]
        self.lengths[event.topic] += 1
        placed = event.model_copy(update={"log_partition": self._partition, "log_offset": offset})
        return Delivery(placed, Position(event.topic, self._partition, offset))

    async def _apply(self, batch: Sequence[Delivery]) -> list[DeadLetter]:
        dead: list[DeadLetter] = []
        for part in split_at(self._marks, batch):
            for group in self._groups:
                types = {route.event for route in group}
                mine = [delivery for delivery in part if type(delivery.event) in types]
                if mine:
                    dead += await apply_together(group, mine, {})
        return dead
