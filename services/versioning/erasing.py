"""Which frozen datasets hold a sample that is to be erased; asked before it is forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from services.versioning.domain.dataset import Dataset
from services.versioning.domain.label_row import LabelRow, dataset_row
from services.versioning.store import DatasetCursor, VersioningStore
from shared.events.datasets import DatasetFilter
from shared.events.erasure import SampleErased
from shared.ledger import Ledger

PAGE: Final = 100


class HeldSamples:
    """Finds the datasets that samples are in, by the cut and the filter of each."""

    def __init__(self, store: VersioningStore, rows: Ledger[LabelRow]) -> None:
        self._store = store
        self._rows = rows

    async def enrich(self, events: Sequence[SampleErased]) -> list[SampleErased]:
        """Return the events with the datasets that hold their samples."""
        return [event.model_copy(update={"datasets": await self._holding(event)}) for event in events]

    async def _holding(self, event: SampleErased) -> list[str]:
        key = f"{event.tenant_id}/{event.sample_id}"
        row = (await self._rows.read([key])).get(key)
        if row is None:
            return []
        bodies = await self._store.bodies([*(each.body for each in row.revisions), row.assets_body or ""])
        found: list[str] = []
        async for dataset in self._datasets(event.tenant_id, row.project_id):
            revision = row.at_cut({int(partition): offset for partition, offset in dataset.barriers.items()})
            chosen = DatasetFilter.model_validate(dataset.filter)
            assets = row.assets_in(bodies)
            if revision is not None and dataset_row(row, revision, bodies[revision.body], assets, chosen) is not None:
                found.append(dataset.dataset_id)
        return found

    async def _datasets(self, tenant_id: str, project_id: str) -> AsyncIterator[Dataset]:
        after: DatasetCursor | None = None
        while page := await self._store.datasets(tenant_id, project_id, after, PAGE):
            for dataset in page:
                yield dataset
            after = DatasetCursor(page[-1].frozen_ms, page[-1].dataset_id)
