"""How many samples, tasks and slots are in which state, kept by what changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

from services.task_assignment.domain.kept import Counts, Scope


class Tally:
    """Counts by tenant, project and partition."""

    def __init__(self) -> None:
        self._sums: dict[Scope, Counter[str]] = defaultdict(Counter)
        self._changed: set[Scope] = set()

    def change(self, scope: Scope, before: Counts, now: Counts) -> None:
        """Take in what a sample adds now instead of what it added before."""
        if before == now:
            return
        self._changed.add(scope)
        sums = self._sums[scope]
        for name, count in before:
            sums[name] -= count
        for name, count in now:
            sums[name] += count

    def forget(self, partitions: Collection[int]) -> None:
        """Drop the counts of some partitions."""
        kept = {scope: each for scope, each in self._sums.items() if scope.partition not in partitions}
        self._sums = defaultdict(Counter, kept)
        self._changed &= kept.keys()

    @property
    def scopes(self) -> Collection[Scope]:
        """Of which anything is counted."""
        return self._sums.keys()

    def changed(self) -> set[Scope]:
        """Return, once, the scopes whose counts have changed since this was last asked."""
        changed, self._changed = self._changed, set()
        return changed

    def of(self, scope: Scope) -> dict[str, int]:
        """Return how many samples, tasks and slots of a scope are in which state."""
        return {name: count for name, count in self._sums.get(scope, {}).items() if count}

    def slots_by_stage(self, wanted: str) -> dict[tuple[str, str, str], int]:
        """Return the number of slots in a state (free, leased, done) per tenant, project and stage."""
        found: Counter[tuple[str, str, str]] = Counter()
        for scope, counts in self._sums.items():
            for name, count in counts.items():
                kind, _, stage_and_state = name.partition(".")
                stage, _, state = stage_and_state.partition(".")
                if kind == "slots" and state == wanted:
                    found[scope.tenant_id, scope.project_id, stage] += count
        return dict(found)
