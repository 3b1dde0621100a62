"""The live feed, read by both clients."""

from __future__ import annotations

import httpx2
import pytest

from labelmesh import ForbiddenError
from tests.unit.labelmesh.a_gateway import AGateway, problem


@pytest.fixture
def gateway() -> AGateway:
    return AGateway()


FEED_BEGINS = b': still here\n\nid: t:0:1\nevent: TaskCreated\ndata: {"task_id":"t1"}\n\n'
FEED_GOES_ON = b'id: t:0:2\nevent: LabelFinalized\ndata: {"sample_id":"s1"}\n\n'


def a_feed(content: bytes) -> httpx2.Response:
    return httpx2.Response(200, content=content, headers={"content-type": "text/event-stream"})


async def test_the_feed_goes_on_after_the_connection_broke(gateway):
    answers = (a_feed(FEED_BEGINS), httpx2.ConnectError("refused"), problem(503, "unavailable"), a_feed(FEED_GOES_ON))
    gateway.answers("GET", "/v1/events", *answers)

    with gateway.client() as client:
        feed = client.events()
        events = [next(feed), next(feed)]

    assert [(each.name, each.data) for each in events] == [
        ("TaskCreated", {"task_id": "t1"}),
        ("LabelFinalized", {"sample_id": "s1"}),
    ]
    assert [each.headers.get("last-event-id") for each in gateway.requests] == [None, "t:0:1", "t:0:1", "t:0:1"]


async def test_the_feed_is_awaited_alike(gateway):
    gateway.answers("GET", "/v1/events", a_feed(FEED_BEGINS), a_feed(FEED_GOES_ON))

    names = []
    async with gateway.async_client() as client:
        async for event in client.events():
            names.append(event.name)
            if len(names) == 2:
                break

    assert names == ["TaskCreated", "LabelFinalized"]


async def test_a_feed_that_is_refused_ends(gateway):
    gateway.answers("GET", "/v1/events", problem(403, "forbidden"))

    with gateway.client() as client, pytest.raises(ForbiddenError):
        next(client.events())
