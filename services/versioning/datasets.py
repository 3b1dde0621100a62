"""Finding datasets by id or tag, and comparing two."""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path

from services.versioning.domain.dataset import Dataset, Tag
from services.versioning.domain.diff import DatasetDiff, diff_rows
from services.versioning.freezing import ObjectStore
from services.versioning.rows import read_rows
from shared.errors import ConflictError, NotFoundError
from shared.ledger import Ledger

_DATASET_ID = re.compile(r"[0-9a-f]{64}")


class Datasets:
    """The datasets of all tenants; each sees its own."""

    def __init__(self, datasets: Ledger[Dataset], tags: Ledger[Tag], media: ObjectStore) -> None:
        self._datasets = datasets
        self._tags = tags
        self._media = media

    async def find(self, tenant_id: str, name: str) -> Dataset:
        """Return the dataset of an id, or the one that a tag points to.

        Raises:
            NotFoundError: The tenant has neither.
        """
        tag_key = f"{tenant_id}/{name}"
        if not _DATASET_ID.fullmatch(name) and (tag := (await self._tags.read([tag_key])).get(tag_key)) is not None:
            name = tag.dataset_id
        key = f"{tenant_id}/{name}"
        found = (await self._datasets.read([key])).get(key)
        if found is None:
            raise NotFoundError(
                f"There is no dataset or tag {name!r}; GET /v1/projects/<project>/datasets lists the datasets."
            )
        return found

    async def tag(self, tenant_id: str, name: str) -> Tag | None:
        """Return a tag, None where there is none."""
        return (await self._tags.read([f"{tenant_id}/{name}"])).get(f"{tenant_id}/{name}")

    async def diff(self, before: Dataset, after: Dataset, *, beyond: str, limit: int) -> DatasetDiff:
        """Compare two datasets of one project; see ``diff_rows``.

        Raises:
            ConflictError: They are of different projects.
        """
        if before.project_id != after.project_id:
            raise ConflictError(
                f"The datasets are of the projects {before.project_id} and {after.project_id}; "
                "only datasets of one project can be compared."
            )
        with tempfile.TemporaryDirectory(prefix="labelmesh-diff-") as folder:
            old, new = Path(folder) / "before", Path(folder) / "after"
            await asyncio.gather(
                self._media.get_file(before.summary.rows, old), self._media.get_file(after.summary.rows, new)
            )
            return await asyncio.to_thread(
                lambda: diff_rows(read_rows(old), read_rows(new), beyond=beyond, limit=limit)
            )
