"""Asks the rules of labels of record, beside the fold: facts and fields are looked up, and rules take processor time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson

from services.annotation_store.domain.label import SampleLabel
from services.annotation_store.domain.recheck import PAGE
from services.annotation_store.store import AnnotationQueries
from shared.catalog import Catalog
from shared.events.annotations import LabelCheckRequested, LabelRecheckContinued, RulesSaid
from shared.labels.facts import AssetFacts
from shared.labels.verdicts import evaluate_rules
from shared.ledger import Ledger


class Checker:
    """Fills in what the steps of a check need to know."""

    def __init__(self, labels: Ledger[SampleLabel], queries: AnnotationQueries, catalog: Catalog) -> None:
        self._labels = labels
        self._queries = queries
        self._catalog = catalog

    async def next_pages(self, events: Sequence[LabelRecheckContinued]) -> list[LabelRecheckContinued]:
        """Return the events with the samples that come next."""
        return [
            event.model_copy(
                update={
                    "page": await self._queries.labeled_samples(
                        event.tenant_id, event.project_id, after=event.after, limit=PAGE
                    )
                }
            )
            for event in events
        ]

    async def ask_rules(self, events: Sequence[LabelCheckRequested]) -> list[LabelCheckRequested]:
        """Return the events with what the rules of the newest version say of the label that stands now."""
        keys = [f"{event.tenant_id}/{event.sample_id}" for event in events]
        labels = await self._labels.read(sorted(set(keys)))
        known = {key: label for key, label in labels.items() if label.revisions and (label.facts or label.short_facts)}
        bodies = [id_ for label in known.values() for id_ in (label.revisions[-1].body, label.facts) if id_]
        contents = await self._queries.fields_of(bodies) if bodies else {}
        return await asyncio.to_thread(
            lambda: [
                event.model_copy(update={"said": self._said(event, known[key], contents)}) if key in known else event
                for event, key in zip(events, keys, strict=True)
            ]
        )

    def _said(self, event: LabelCheckRequested, label: SampleLabel, contents: dict[str, dict[str, Any]]) -> RulesSaid:
        version = self._catalog.latest(event.tenant_id, event.project_id)
        newest = label.revisions[-1]
        sample = contents[label.facts] if label.facts else orjson.loads(label.short_facts)
        verdicts = evaluate_rules(
            version.spec,
            {slot: AssetFacts.model_validate(facts) for slot, facts in sample["assets"].items()},
            contents[newest.body],
            metadata=sample["metadata"],
            project_version=version.number,
        )
        return RulesSaid(revision=newest.revision, project_version=version.number, verdicts=tuple(verdicts))
