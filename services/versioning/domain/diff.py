"""What differs between two datasets, sample by sample and field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from services.versioning.domain.label_row import DatasetRow

Change = Literal["added", "removed", "changed"]


class FieldChange(BaseModel):
    """A field's value in both datasets; null where the field is absent."""

    before: Any = None
    after: Any = None


class SampleChange(BaseModel):
    """A sample that differs."""

    sample_id: str
    external_id: str
    change: Change
    fields: dict[str, FieldChange] = Field({}, description="The fields that differ, of a changed sample.")


class DiffCounts(BaseModel):
    """Exact counts over all samples of both datasets."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    unchanged: int = Field(0, description="The same fields and the same revision.")
    reverified: int = Field(0, description="The same fields under a newer revision: looked at again and confirmed.")
    fields: dict[str, int] = Field({}, description="Changed samples by field that differs.")


class DatasetDiff(BaseModel):
    """One page of what differs, with the counts of the whole."""

    counts: DiffCounts
    items: list[SampleChange]
    next: str | None


def diff_rows(
    before: Iterator[DatasetRow], after: Iterator[DatasetRow], *, beyond: str = "", limit: int = 100
) -> DatasetDiff:
    """Merge two streams of rows.

    Args:
        before: Rows of the one dataset, sorted by sample id.
        after: Rows of the other, sorted alike.
        beyond: List only changes of samples whose id is greater; the counts are of all.
        limit: Most changes to list.

    Returns:
        The counts, a page of changes sorted by sample id, and the sample id after which the next page begins.
    """
    counts: dict[str, int] = {}
    by_field: dict[str, int] = {}
    items: list[SampleChange] = []
    more = False
    for old, new in _pairs(before, after):
        outcome, fields = _compare(old, new)
        counts[outcome] = counts.get(outcome, 0) + 1
        for name in fields:
            by_field[name] = by_field.get(name, 0) + 1
        row = new or old
        if row is None or row.sample_id <= beyond or outcome in {"unchanged", "reverified"}:
            continue
        if len(items) == limit:
            more = True
            continue
        change = SampleChange.model_validate(
            {"sample_id": row.sample_id, "external_id": row.external_id, "change": outcome, "fields": fields}
        )
        items.append(change)
    totals = DiffCounts.model_validate(counts | {"fields": dict(sorted(by_field.items()))})
    return DatasetDiff(counts=totals, items=items, next=items[-1].sample_id if more else None)


def _pairs(
    before: Iterator[DatasetRow], after: Iterator[DatasetRow]
) -> Iterator[tuple[DatasetRow | None, DatasetRow | None]]:
    """Yield the rows of each sample that is in either stream."""
    old, new = next(before, None), next(after, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old.sample_id < new.sample_id):
            yield old, None
            old = next(before, None)
        elif old is None or new.sample_id < old.sample_id:
            yield None, new
            new = next(after, None)
        else:
            yield old, new
            old, new = next(before, None), next(after, None)


def _compare(old: DatasetRow | None, new: DatasetRow | None) -> tuple[str, Mapping[str, Any]]:
    if old is None or new is None:
        return ("added" if old is None else "removed"), {}
    if old.fields == new.fields:
        return ("unchanged" if old.revision == new.revision else "reverified"), {}
    return "changed", {
        name: {"before": old.fields.get(name), "after": new.fields.get(name)}
        for name in sorted(old.fields.keys() | new.fields.keys())
        if old.fields.get(name) != new.fields.get(name)
    }
