"""QA over fakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from services.qa.domain.annotator import AssessedAnnotator
from services.qa.domain.consistency import ConsistencyCount
from services.qa.domain.sample import JudgedSample
from services.qa.handlers import create_routes, create_tally_routes
from services.qa.skills import Skills
from shared.events.annotations import AnnotationStored
from shared.ledger import Ledger
from tests.builders import a_catalog, a_project_spec, a_project_versioned, an_annotation_stored
from tests.fakes import MemoryLedgerStore, RecordingPublisher
from tests.receiving import Receiver


class QaUnderTest(Receiver):
    """QA's routes, its documents, and what it announced."""

    @classmethod
    async def of(cls, *specs: Mapping[str, Any]) -> QaUnderTest:
        """Make QA that knows the versions of the usual project, numbered from 1; the usual one when none is given."""
        versions = [
            a_project_versioned(version=number, spec=dict(spec))
            for number, spec in enumerate(specs or [a_project_spec()], 1)
        ]
        return cls(await a_catalog(*versions))

    def __init__(self, catalog: Any) -> None:
        self.sample_documents = MemoryLedgerStore()
        self.annotator_documents = MemoryLedgerStore()
        self.announced = RecordingPublisher()
        self.skills = Skills(self._read_annotators, timedelta(seconds=30))
        self.samples = Ledger(self.sample_documents, self.announced, JudgedSample)
        self.annotators = Ledger(
            self.annotator_documents, self.announced, AssessedAnnotator, on_saved=self.skills.learn
        )
        self.consistency_documents = MemoryLedgerStore()
        self.consistency = Ledger(self.consistency_documents, self.announced, ConsistencyCount)
        tallies = create_tally_routes(self.annotators, self.consistency)
        super().__init__([*create_routes(self.samples, catalog, self.skills), *tallies])

    @property
    def sample(self) -> JudgedSample:
        """The only sample."""
        [state] = self.sample_documents.states.values()
        return JudgedSample.model_validate(state)

    async def _read_annotators(self, ids: Sequence[str]) -> Mapping[str, AssessedAnnotator]:
        return await self.annotators.read(ids)


def answers(intents: Mapping[str, str], **changes: Any) -> list[AnnotationStored]:
    """Return one answer of each annotator, by what they say of the intent."""
    return [an_annotation_stored(annotator_id=who, fields={"intent": said}, **changes) for who, said in intents.items()]
