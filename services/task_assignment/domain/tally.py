"""How many samples, tasks and slots are in which state, kept by what changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

from services.task_assignment.domain.kept import Counts, Scope


class Tally:
    """Counts by tenant, project and partition."""

    def __init__(self) -> None:
        self._sums: dict[Scope, Counter[str]] = defaultdict(Counter)

    def change(self, scope: Scope, before: Counts, now: Counts) -> None:
        """Take in what a sample adds now instead of what it added before."""
        if before == now:
            return
        sums = self._sums[scope]
        for name, count in before:
            sums[name] -= count
        for name, count in now:
            sums[name] += count

    def forget(self, partitions: Collection[int]) -> None:
        """Drop the counts of some partitions."""
        kept = {scope: each for scope, each in self._sums.items() if scope.partition not in partitions}
        self._sums = defaultdict(Counter, kept)

    def counts(self) -> dict[tuple[str, str, int], dict[str, int]]:
        """Return, per tenant, project and partition, how many samples, tasks and slots are in which state."""
        return {scope: {name: n for name, n in each.items() if n} for scope, each in self._sums.items()}

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
