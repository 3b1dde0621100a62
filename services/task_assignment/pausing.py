"""Ends the leases of those who are paused or banned."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from services.task_assignment.hand import Hand
from services.task_assignment.store import Store
from shared.events.tasks import AnnotatorDeclared
from shared.ledger import Delivery
from shared.routes import Reaction

log = structlog.get_logger()


def create_pausing_routes(store: Store, hand: Hand) -> list[Reaction]:
    """Return what is done beside the fold, and after it, with a profile that was declared."""

    async def end_leases(deliveries: Sequence[Delivery]) -> None:
        """End the leases of those who get no work by the profile that holds now, whatever was read."""
        declared = [each.event for each in deliveries if isinstance(each.event, AnnotatorDeclared)]
        people = {f"{event.tenant_id}/{event.annotator_id}": event for event in declared}
        for id_, annotator in (await store.annotators(people)).items():
            profile, event = annotator.profile, people[id_]
            if profile is not None and (profile.paused or profile.banned):
                ended = await hand.end_all(event.tenant_id, event.annotator_id)
                log.info("annotator_paused", annotator=event.annotator_id, leases_ended=len(ended))

    return [Reaction(AnnotatorDeclared, end_leases)]
