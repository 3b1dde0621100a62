"""The live feed as the clients read it."""

from __future__ import annotations

from typing import Any, Final

import httpx2
import orjson
from pydantic import BaseModel, ConfigDict

from labelmesh.requests import at
from labelmesh.retry import RETRIED
from labelmesh.transport import answer_of


class FeedEvent(BaseModel):
    """Something that happened."""

    model_config = ConfigDict(frozen=True)

    id: str
    """Where it is in the log; a feed can go on after it."""
    name: str
    """What happened, e.g. ``LabelFinalized``."""
    data: dict[str, Any]


def feed_headers(last_event_id: str | None) -> dict[str, str]:
    """Return the headers that a feed is asked for with."""
    resumed = {} if last_event_id is None else {"last-event-id": last_event_id}
    return {"accept": "text/event-stream"} | resumed


FEED: Final = at("events")


def check_feed(response: httpx2.Response) -> None:
    """Pass what opens a feed.

    Raises:
        TransportError: The gateway is not ready; ask again.
        ApiError: It refused.
    """
    if response.status_code in RETRIED:
        raise httpx2.RemoteProtocolError(f"The gateway answered {response.status_code}.")
    if response.status_code >= 400:
        answer_of(response)


def read_event(sent: httpx2.ServerSentEvent) -> FeedEvent | None:
    """Return an event of the feed, None for what is not one (the stream's own notes)."""
    if not sent.data:
        return None
    return FeedEvent(id=sent.id, name=sent.event, data=orjson.loads(sent.data))
