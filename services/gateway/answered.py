"""Leases that were answered a moment ago, so that a claim does not give the same task out again.

A claim first returns the caller's live leases, and a lease lives on until task assignment has folded its answer. Who
answers and claims at once would be ahead of that fold; so the gateway, which knows that the answer is in the log and
counts, tells task assignment of it with the claim.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from shared.security import Principal

KEPT_SECONDS: Final = 60.0
"""An answer that is not folded by then may be asked for again, which is harmless: it becomes its revision 2."""
KEPT_PER_PERSON: Final = 100
"""Nobody holds more leases."""
MAX_PEOPLE: Final = 50_000

_Answers = deque[tuple[float, str]]


@dataclass(slots=True)
class AnsweredLeases:
    """Per person, what they answered since their last claim."""

    _clock: Callable[[], float] = time.monotonic
    _of: OrderedDict[tuple[str, str], _Answers] = field(default_factory=OrderedDict)

    def note(self, principal: Principal, lease_id: str) -> None:
        """Remember that an answer to a lease counts."""
        who = (principal.tenant_id, principal.subject)
        self._of.setdefault(who, deque(maxlen=KEPT_PER_PERSON)).append((self._clock() + KEPT_SECONDS, lease_id))
        self._of.move_to_end(who)
        while len(self._of) > MAX_PEOPLE:
            self._of.popitem(last=False)

    def of(self, principal: Principal) -> tuple[str, ...]:
        """Return the leases that task assignment may still take for live."""
        now = self._clock()
        found = self._of.get((principal.tenant_id, principal.subject), ())
        return tuple(lease_id for kept_until, lease_id in found if kept_until > now)

    def forget(self, principal: Principal, lease_ids: Collection[str]) -> None:
        """Drop what task assignment has been told, and has struck off the list of what the person holds."""
        who = (principal.tenant_id, principal.subject)
        rest = [each for each in self._of.get(who, ()) if each[1] not in lease_ids]
        if rest:
            self._of[who] = deque(rest, maxlen=KEPT_PER_PERSON)
        else:
            self._of.pop(who, None)
