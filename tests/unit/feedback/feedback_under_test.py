"""Feedback over fakes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.feedback.api import create_router
from services.feedback.domain.finding import Finding
from services.feedback.domain.model_tally import FindingPolicy, ModelTally
from services.feedback.domain.predicted_sample import PredictedSample
from services.feedback.handlers import create_routes
from services.feedback.store import FindingCursor
from shared.clock import to_ms
from shared.events import Event
from shared.events.annotations import LabelRecorded
from shared.events.feedback import (
    FindingClosed,
    FindingOpened,
    FindingProgressed,
    FindingSampleAwaited,
    PredictionJudged,
    PredictionLineFinished,
    PredictionSubmitted,
)
from shared.jobs import JobPart
from shared.labels.canonical import content_hash
from shared.ledger import Ledger
from tests.asking import asking
from tests.builders import a_catalog, a_label_recorded, a_prediction_submitted
from tests.fakes import FakeClock, MemoryJobErrors, MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver

OWN = (
    PredictionJudged,
    FindingOpened,
    FindingSampleAwaited,
    FindingProgressed,
    FindingClosed,
    PredictionLineFinished,
)
"""What feedback tells itself."""
PRIORITY = 10


class MemoryFeedbackStore:
    """The queries over the fakes of the ledgers."""

    def __init__(self, models: MemoryLedgerStore, findings: MemoryLedgerStore) -> None:
        self._models = models
        self._findings = findings

    async def models(
        self, tenant_id: str, project_id: str, model: str | None, after: str, limit: int
    ) -> list[ModelTally]:
        beginning = f"{tenant_id}/{project_id}/"
        found = [
            ModelTally.model_validate(state | {"judged": {}})
            for id_, state in sorted(self._models.states.items())
            if id_.startswith(beginning) and id_ > after
        ]
        return [each for each in found if model is None or each.model == model][:limit]

    async def findings(
        self,
        tenant_id: str,
        project_id: str,
        *,
        model: str | None,
        is_open: bool | None,
        after: FindingCursor | None,
        limit: int,
    ) -> list[Finding]:
        mine = [each["state"] for each in self._findings.documents.values() if each["tenant_id"] == tenant_id]
        found = [Finding.model_validate(state) for state in mine]
        beyond = None if after is None else (-after.opened_ms, after.finding_id)
        return [
            each
            for each in sorted(found, key=lambda each: (-each.opened_ms, each.finding_id))
            if each.project_id == project_id
            and (model is None or each.model == model)
            and (is_open is None or (each.outcome is None) == is_open)
            and (beyond is None or (-each.opened_ms, each.finding_id) > beyond)
        ][:limit]


class FeedbackUnderTest(Receiver):
    """Feedback's routes, its documents, and what it announced."""

    @classmethod
    async def of(cls, *known: Event, **policy: Any) -> FeedbackUnderTest:
        """Make feedback whose catalog has read ``known``, or version 1 of the usual project."""
        return cls(await a_catalog(*known), FindingPolicy(**policy))

    def __init__(self, catalog: Any, policy: FindingPolicy) -> None:
        self.documents = {name: MemoryLedgerStore() for name in ("predictions", "models", "findings", "jobs")}
        self.announced = RecordingPublisher()
        self.clock = FakeClock()
        self.findings = self._ledger("findings", Finding)
        self.jobs = self._ledger("jobs", JobPart)
        routes = create_routes(
            predictions=self._ledger("predictions", PredictedSample),
            models=self._ledger("models", ModelTally),
            findings=self.findings,
            jobs=self.jobs,
            catalog=catalog,
            policy=policy,
            priority=PRIORITY,
        )
        super().__init__(routes)
        self._told = 0

    async def hear(self, *events: Event) -> None:
        """Receive events, and then whatever feedback has told itself, each a second after the one before."""
        await self.receive(*events)
        while self._told < len(self.announced.events):
            event = self.announced.events[self._told]
            self._told += 1
            if isinstance(event, OWN):
                await self.receive(event.model_copy(update={"appended_at_ms": to_ms(self.clock.advance(1))}))

    async def hear_all_again(self) -> None:
        """Receive everything again, as after a crash before the first commit."""
        await self.receive_all_again()

    @property
    def tally(self) -> ModelTally:
        """The only model version's."""
        [state] = self.documents["models"].states.values()
        return ModelTally.model_validate(state)

    def asking(self, **caller: Any) -> Any:
        """Return a client of the API."""
        store = MemoryFeedbackStore(self.documents["models"], self.documents["findings"])
        errors = MemoryJobErrors(self.documents["jobs"])
        return asking(create_router, store, self.findings, self.jobs, errors, **caller)

    def _ledger(self, name: str, state: Any) -> Ledger[Any]:
        return Ledger(self.documents[name], self.announced, state)


def predictions(of: Mapping[str, str], **changes: Any) -> list[PredictionSubmitted]:
    """Return one prediction per sample, by what the model says of the intent."""
    return [
        a_prediction_submitted(external_id=sample, fields={"intent": said}, **changes) for sample, said in of.items()
    ]


def labels(of: Mapping[str, str], **changes: Any) -> list[LabelRecorded]:
    """Return one label of record per sample, by what is true of the intent."""
    return [
        a_label_recorded(
            external_id=sample, fields={"intent": true}, content_hash=content_hash({"intent": true}), **changes
        )
        for sample, true in of.items()
    ]
