"""Samples that name their files by an address: from registered buckets, and by https as the operator allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.references.buckets import Buckets
from services.ingest.references.egress import Egress, HostUnreachableError
from services.ingest.references.fetching import References
from shared.events.samples import AssetSource, SampleRejected
from shared.events.uploads import ReferenceAwaited, UploadArrived
from tests.builders import TENANT, a_catalog, a_project_versioned, a_sample_erased, a_sample_submitted
from tests.receiving import Receiver
from tests.unit.ingest.ingest_under_test import IngestUnderTest, a_media_spec

TEXT = b"Words that lie elsewhere."
BUCKETS = {TENANT: ["raw/", "shared/acme/"]}


class FakeEgress:
    """The internet: a text, hosts that are away, and hosts that may not be asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = 0

    async def fetch(self, url: str, path: Path, _max_bytes: int | None = None) -> None:
        self.asked.append(url)
        if "internal" in url:
            raise MediaRejectedError("egress-refused", "It may not be asked.")
        if self.away:
            self.away -= 1
            raise HostUnreachableError("nobody answers")
        path.write_bytes(TEXT)


class World:
    """Ingest with what fetches for it."""

    def __init__(self, ingest: IngestUnderTest, catalog: Any) -> None:
        self.ingest = ingest
        self.egress = FakeEgress()
        media = ingest.media
        references = References(
            media,
            cast(Egress, self.egress),
            Buckets(BUCKETS),
            ingest.samples,
            catalog,
            ingest.announced,
            pause_seconds=0,
        )
        self.fetching = Receiver(references.routes())
        self._fetched = 0

    @classmethod
    async def of(cls) -> World:
        catalog = await a_catalog(a_project_versioned(spec=a_media_spec()))
        return cls(IngestUnderTest(catalog), catalog)

    async def submit(self, uri: str, **changes: Any) -> dict[str, Any]:
        """Submit a sample that names its text by an address, and return its state."""
        await self.ingest.hear(a_sample_submitted(assets={"text": AssetSource(uri=uri)}, **changes))
        await self.fetch()
        return self.ingest.sample()

    async def fetch(self) -> None:
        awaited = self.ingest.announced.of(ReferenceAwaited)[self._fetched :]
        self._fetched += len(awaited)
        await self.fetching.receive(*awaited)
        await self.ingest.hear()


@pytest.mark.parametrize("uri", ["https://media.example.org/a/words.txt", "s3://raw/words.txt"])
async def test_a_file_is_fetched_into_our_own_store_and_probed_like_an_upload(uri):
    world = await World.of()
    world.ingest.media.add("raw/words.txt", TEXT)

    sample = await world.submit(uri)

    assert (sample["state"], sample["assets"]["text"]["text"]) == ("ingested", TEXT.decode())
    assert sample["assets"]["text"]["object"].startswith(f"media/{TENANT}/references/{sample['sample_id']}/text/")


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("s3://raw/absent.txt", "missing-object"),
        ("s3://media/acme/uploads/u-1/file", "unregistered-bucket"),
        ("s3://rawer/words.txt", "unregistered-bucket"),
        ("s3://shared/globex/words.txt", "unregistered-bucket"),
        ("s3://raw/../media/words.txt", "unregistered-bucket"),
        ("https://internal.example.org/words.txt", "egress-refused"),
    ],
)
async def test_what_may_not_be_fetched_rejects_the_sample_with_the_reason(uri, code):
    world = await World.of()

    sample = await world.submit(uri)

    [fault] = sample["faults"]
    assert (sample["state"], fault["pointer"], fault["code"]) == ("rejected", "/assets/text/uri", code)


async def test_a_host_that_is_away_for_a_moment_is_asked_again_and_one_that_stays_away_is_told_of():
    world = await World.of()
    world.egress.away = 2

    back = await world.submit("https://media.example.org/words.txt")
    world.egress.away = 3
    gone = await world.submit("https://media.example.org/words.txt", external_id="other")

    assert back["state"] == "ingested"
    assert gone["state"] == "ingested"
    assert [event.faults[0].code for event in world.ingest.announced.of(SampleRejected)] == ["unreachable"]


async def test_what_was_taken_is_not_fetched_again_and_an_erased_sample_not_at_all():
    world = await World.of()
    sample = await world.submit("https://media.example.org/words.txt")

    await world.fetching.receive_all_again()
    await world.ingest.hear(a_sample_erased(sample_id=sample["sample_id"]))
    await world.fetching.receive_all_again()

    assert len(world.egress.asked) == 1
    assert len(world.ingest.announced.of(UploadArrived)) == 1
