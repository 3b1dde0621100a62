"""Annotators' skills as they were a moment ago, so that a pure step can weigh answers by them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Final

from services.qa.domain.annotator import AssessedAnnotator
from shared.events.annotations import AnnotationStored
from shared.ledger import Saved

MAX_KNOWN: Final = 20_000


class Skills:
    """A bounded cache over the ledger of annotators; unknown annotators have no weights of their own."""

    def __init__(
        self,
        read: Callable[[Sequence[str]], Awaitable[Mapping[str, AssessedAnnotator]]],
        max_age: timedelta,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty cache.

        Args:
            read: Returns the annotators that exist among some ids.
            max_age: How old an entry may be before it is read again.
            clock: Seconds that only go forward.
        """
        self._read = read
        self._max_age = max_age.total_seconds()
        self._clock = clock
        self._known: OrderedDict[str, tuple[float, Mapping[str, float]]] = OrderedDict()

    async def prepare(self, events: Sequence[AnnotationStored]) -> Sequence[AnnotationStored]:
        """Read what is missing or too old of the annotators of some answers, in one query; return the answers."""
        fresh = self._clock() - self._max_age
        wanted = {skill_key(event) for event in events}
        missing = sorted(key for key in wanted if key not in self._known or self._known[key][0] < fresh)
        if missing:
            found = await self._read(missing)
            for key in missing:
                self._note(key, found.get(key))
        return events

    def weights(self, event: AnnotationStored) -> Mapping[str, float]:
        """Return by field how much an answer counts; empty for an annotator of whom nothing is known."""
        return self._known.get(skill_key(event), (0.0, {}))[1]

    def learn(self, saved: Mapping[str, Saved[AssessedAnnotator]]) -> None:
        """Take over what this process has just written."""
        for key, written in saved.items():
            self._note(key, written.state)

    def _note(self, key: str, annotator: AssessedAnnotator | None) -> None:
        skill = None if annotator is None else annotator.skill
        weights = {} if skill is None else {name: skill.weight(name) for name in skill.tallies}
        self._known[key] = (self._clock(), weights)
        self._known.move_to_end(key)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)


def skill_key(event: AnnotationStored) -> str:
    """Return the id of the document about the annotator of an answer."""
    return f"{event.tenant_id}/{event.annotator_id}/{event.project_id}"
