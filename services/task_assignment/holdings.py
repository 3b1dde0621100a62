"""Who holds which leases: one document of each annotator, which bounds them exactly, whichever replica serves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple

from services.task_assignment.domain.annotator import Answered
from shared.ledger import Document


class Held(NamedTuple):
    """A lease as its holder's document lists it."""

    lease_id: str
    task_id: str
    expires_ms: int
    guidelines: int = 0
    """The version of the project's guidelines that came with it."""
    seen: int = 0
    """The version that had come with the task before; 0 where there was none."""
    project_id: str = ""
    """Empty in documents that are older than this field."""

    def is_answered(self, answered: Collection[str]) -> bool:
        """Return whether all that the list is asked of this lease is known without its sample: that it was answered.

        Args:
            answered: Leases whose answers are in the log.
        """
        return bool(self.project_id) and self.lease_id in answered


class Holdings(NamedTuple):
    """The leases of one annotator: what bounds them exactly, whichever replica serves."""

    id: str
    revision: int
    leases: tuple[Held, ...]
    seen: Mapping[str, int] = MappingProxyType({})
    """By project: the version of its guidelines that came with the last task before these leases."""
    answered: Mapping[str, Answered] = MappingProxyType({})
    """By project: how much they have answered, without what is still on the list."""


def holdings_of(document: Document) -> Holdings:
    """Return an annotator's leases from how they are stored."""
    leases = tuple(Held(lease_id, *rest) for lease_id, rest in document["leases"].items())
    answered = {project: Answered(*count) for project, count in document.get("answered", {}).items()}
    return Holdings(document["_id"], document["revision"], leases, document.get("seen", {}), answered)


def document_of(holdings: Holdings) -> Document:
    """Return an annotator's leases as they are stored next: of the next revision."""
    return {
        "_id": holdings.id,
        "revision": holdings.revision + 1,
        "leases": {held.lease_id: list(held[1:]) for held in holdings.leases},
        "seen": dict(holdings.seen),
        "answered": {project: list(count) for project, count in holdings.answered.items()},
    }
