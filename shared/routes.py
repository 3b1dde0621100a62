"""What a service does with each type of event: routes to ledgers, and reactions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.events import Event
from shared.ledger import DeadLetter, Delivery, Ledger, StepFunction


@dataclass(frozen=True, slots=True)
class Route:
    """What a service does with one type of event: fold it into a ledger."""

    event: type[Event]
    ledger: Ledger[Any]
    step: StepFunction[Any, Any]
    key: Callable[[Any], str]
    enrich: Callable[[Sequence[Any]], Awaitable[Sequence[Event]]] | None = None
    """Looks things up before the fold, which is pure: same events, with more known of them."""
    begins: bool = False
    """The event is nearly always the first of its aggregate, which therefore is not looked for before it is written."""

    async def apply(self, deliveries: Sequence[Delivery], committed: Mapping[str, int]) -> list[DeadLetter]:
        """Fold the deliveries and return the events that no retry can help."""
        return await apply_together([self], deliveries, committed)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a service does with a type of event that changes no document; it may come twice."""

    event: type[Event]
    react: Callable[[Sequence[Delivery]], Awaitable[None]]
    is_mark: bool = False
    """The event marks a place in its partition: what stands after it in a batch is applied after it, by all routes."""

    async def apply(self, deliveries: Sequence[Delivery], _committed: Mapping[str, int]) -> list[DeadLetter]:
        """Hand the deliveries on."""
        await self.react(deliveries)
        return []


def group_routes(routes: Sequence[Route | Reaction]) -> list[list[Route | Reaction]]:
    """Put the routes of one ledger together, at the place of the first of them; a reaction stands alone.

    Raises:
        ValueError: A ledger has two routes for one type of event.
    """
    groups: list[list[Route | Reaction]] = []
    of_ledger: dict[int, list[Route | Reaction]] = {}
    for route in routes:
        if isinstance(route, Reaction):
            groups.append([route])
        elif (group := of_ledger.get(id(route.ledger))) is None:
            of_ledger[id(route.ledger)] = group = [route]
            groups.append(group)
        elif any(other.event is route.event for other in group):
            raise ValueError(f"{route.event.name()} has two routes to one ledger; give the second a ledger of its own.")
        else:
            group.append(route)
    return groups


async def apply_together(
    routes: Sequence[Route | Reaction], deliveries: Sequence[Delivery], committed: Mapping[str, int]
) -> list[DeadLetter]:
    """Apply deliveries by routes that share a ledger, in log order whatever their types.

    Types that share a topic must not be folded one type after the other: the ledger takes an offset below the highest
    it has applied for a redelivery. And an event that waited may be of another type than the one it waited for.

    Returns:
        The events that no retry can help.
    """
    if isinstance(routes[0], Reaction):
        return await routes[0].apply(deliveries, committed)
    by_type = {route.event: route for route in routes if isinstance(route, Route)}
    known = list(deliveries)
    for route in by_type.values():
        if route.enrich is not None:
            mine = [index for index, delivery in enumerate(deliveries) if type(delivery.event) is route.event]
            events = await route.enrich([deliveries[index].event for index in mine]) if mine else []
            for index, event in zip(mine, events, strict=True):
                known[index] = Delivery(event, deliveries[index].position)
    return await routes[0].ledger.fold(
        [delivery for delivery in known if not delivery.event.void],
        lambda state, event: by_type[type(event)].step(state, event),
        lambda event: by_type[type(event)].key(event),
        committed,
        begins=lambda event: by_type[type(event)].begins,
    )


def split_at(marks: Collection[type[Event]], deliveries: Sequence[Delivery]) -> list[list[Delivery]]:
    """Cut a batch after each event of a type in ``marks``; order is kept."""
    parts: list[list[Delivery]] = [[]]
    for delivery in deliveries:
        parts[-1].append(delivery)
        if type(delivery.event) in marks:
            parts.append([])
    return parts
