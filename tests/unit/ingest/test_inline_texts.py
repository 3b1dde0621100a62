"""A text that came inside its sample has the facts that one in a file has."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from shared.events.samples import AssetSource, SampleIngested
from tests.builders import a_project_spec, a_sample_submitted
from tests.unit.ingest.ingest_under_test import IngestUnderTest, a_media_spec

GERMAN = "Das Paket kam zwei Tage zu spät, und eine Ecke war eingedrückt, aber der Inhalt ist in Ordnung. 👨‍👩‍👧‍👦"


async def details_of(text: str, **intake: Any) -> dict[str, Any]:
    ingest = await IngestUnderTest.of(a_project_spec(intake=intake))
    await ingest.hear(a_sample_submitted(external_id="a", assets={"chat": AssetSource(text=text)}))
    [ingested] = ingest.announced.of(SampleIngested)
    assert ingested.assets["chat"].details is not None
    return ingested.assets["chat"].details.model_dump(exclude_none=True)


@pytest.mark.parametrize("text", [GERMAN, unicodedata.normalize("NFD", GERMAN), "a\r\nb" * 10, "हिन्दी और 한국어 " * 3])
async def test_it_is_told_what_a_file_of_the_same_text_would_be(text: str) -> None:
    files = await IngestUnderTest.of(a_media_spec())
    sample = await files.submit_file("text", text.encode(), "a.txt")
    of_file = {name: found for name, found in sample["assets"]["text"]["details"].items() if found is not None}

    assert await details_of(text, detect_language=True) == of_file


async def test_its_language_is_detected_only_where_the_project_asks_for_it() -> None:
    plain, detected = await details_of(GERMAN), await details_of(GERMAN, detect_language=True)

    assert "detected_language" not in plain
    assert (detected["detected_language"], detected["language_confidence"] > 0.9) == ("de", True)


async def test_a_long_text_of_characters_that_join_holds_up_nobody() -> None:
    assert "graphemes" not in await details_of("e\u0323\u0301" * 5_000 + "x" * 15_000)
    assert (await details_of("é" * 20_000))["graphemes"] == 20_000


async def test_everything_delivered_again_tells_the_same() -> None:
    ingest = await IngestUnderTest.of(a_project_spec(intake={"detect_language": True}))
    await ingest.hear(a_sample_submitted(assets={"chat": AssetSource(text=GERMAN)}))
    told = ingest.announced.ids

    await ingest.receive_all_again()

    assert ingest.announced.ids == told
