"""Which sample of a project had some content first: one document for each content, so that two replicas agree."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from shared.events.duplicates import ContentCompared, ContentMet, ContentReleased
from shared.ids import derived_id
from shared.labels.canonical import content_hash
from shared.labels.facts import AssetFacts
from shared.ledger import Step


class Content(BaseModel):
    """The sample that holds a content."""

    model_config = ConfigDict(frozen=True)

    content_id: str
    holder: str | None = None
    """The sample that had it first; None once that was erased."""


def content_of(tenant_id: str, project_id: str, assets: Mapping[str, AssetFacts]) -> str:
    """Return the id of what a sample consists of: the same assets in the same slots, byte for byte."""
    hashes = {slot: facts.sha256 for slot, facts in assets.items()}
    return derived_id("content", tenant_id, project_id, content_hash(hashes))


def on_content_met(content: Content | None, event: ContentMet) -> Step[Content]:
    """Say who had the content first. Asked again, it says the same."""
    content = content or Content(content_id=event.content_id)
    if content.holder is None:
        content = content.model_copy(update={"holder": event.sample_id})
    compared = ContentCompared.caused_by(
        event,
        sample_id=event.sample_id,
        content_id=event.content_id,
        attempt=event.attempt,
        first=content.holder,
    )
    return Step(content, [compared])


def on_content_released(content: Content | None, event: ContentReleased) -> Step[Content]:
    """Let the next sample with this content be the first."""
    if content is None or content.holder != event.sample_id:
        return Step(content)
    return Step(content.model_copy(update={"holder": None}))
