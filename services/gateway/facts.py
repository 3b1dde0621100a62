"""What answers to tasks are checked against, as claims told of it: a bounded cache, for task assignment knows the rest."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from shared.labels.facts import AssetFacts

CACHED_BYTES: Final = 32 * 1024 * 1024
"""Some thirty thousand tasks with short texts; of long texts, which stand in their facts, fewer."""
ENTRY_BYTES: Final = 400
"""What an entry takes beside its JSON."""


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What an answer to a task is checked against."""

    project_id: str
    project_version: int
    assets: dict[str, AssetFacts]
    metadata: dict[str, Any] = field(default_factory=dict)
    """Of the sample; rules may look at it."""
    language: str | None = None
    """The sample's."""


class FactsCache:
    """The facts of claimed tasks; the least recently claimed go first.

    They are kept as JSON: as objects they would take several times as much, and each is asked for about once.
    """

    def __init__(self, max_bytes: int = CACHED_BYTES) -> None:
        """Begin with nothing.

        Args:
            max_bytes: About how much memory it may take.
        """
        self._max_bytes = max_bytes
        self._known: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._bytes = 0

    def get(self, tenant_id: str, task_id: str) -> TaskFacts | None:
        """Return what is known of a task."""
        known = self._known.get((tenant_id, task_id))
        return None if known is None else read_facts(orjson.loads(known))

    def put(self, tenant_id: str, task_id: str, told: dict[str, Any]) -> None:
        """Remember a task as a claim, or ``/facts``, told of it."""
        sample = told.get("sample", told)  # a claim tells of the sample apart
        kept = orjson.dumps(
            {
                "project": told["project"],
                "project_version": told["project_version"],
                "assets": told["assets"],
                "metadata": sample.get("metadata", {}),
                "language": sample.get("language"),
            }
        )
        self._forget((tenant_id, task_id))
        self._known[tenant_id, task_id] = kept
        self._bytes += len(kept) + ENTRY_BYTES
        while self._bytes > self._max_bytes and self._known:
            self._forget(next(iter(self._known)))

    def _forget(self, key: tuple[str, str]) -> None:
        if (known := self._known.pop(key, None)) is not None:
            self._bytes -= len(known) + ENTRY_BYTES


def read_facts(told: dict[str, Any]) -> TaskFacts:
    """Return facts as task assignment's ``/facts`` tells them."""
    assets = {slot: AssetFacts.model_validate(facts) for slot, facts in told["assets"].items()}
    return TaskFacts(told["project"], told["project_version"], assets, told.get("metadata", {}), told.get("language"))
