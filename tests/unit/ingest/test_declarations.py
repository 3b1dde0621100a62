"""What a sender says of assets and of the sample is held against what is found, and against the project."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events.samples import AssetSource, SampleIngested, SampleRejected
from shared.labels.sample import check_sample
from shared.labels.sample_metadata import metadata_faults
from tests.builders import CHAT, a_parsed_spec, a_sample_submitted
from tests.unit.ingest.ingest_under_test import IngestUnderTest
from tests.unit.ingest.media_builders import MEDIA

OWL = (MEDIA / "images" / "owl.jpg").read_bytes()


async def outcome_of(ingest: IngestUnderTest, **facts: Any) -> dict[str, Any]:
    source = AssetSource(upload="u", facts=facts)
    await ingest.hear(ingest.put("u", OWL), a_sample_submitted(assets={"image": source}))
    return ingest.sample()


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"width": 640}, ["width", "640", "512"]),
        ({"media_type": "image/png"}, ["media_type", "image/png", "image/jpeg"]),
        ({"size": 7}, ["size", "7", str(len(OWL))]),
    ],
)
async def test_a_declared_fact_that_the_probe_contradicts_is_an_error_that_states_both(
    facts: dict[str, Any], told: list[str]
) -> None:
    sample = await outcome_of(await IngestUnderTest.of(), **facts)

    [fault] = sample["faults"]
    assert (fault["code"], fault["pointer"]) == ("contradicted", f"/assets/image/facts/{told[0]}")
    assert all(part in fault["message"] for part in told)


async def test_all_contradictions_are_told_at_once_and_what_is_true_is_none() -> None:
    sample = await outcome_of(await IngestUnderTest.of(), width=1, height=2, size=len(OWL))

    assert [fault["pointer"].rpartition("/")[2] for fault in sample["faults"]] == ["width", "height"]


async def test_what_was_not_measured_contradicts_nothing() -> None:
    sample = await outcome_of(await IngestUnderTest.of(), width=512, duration=3.5)

    assert sample["state"] == "ingested"


async def test_a_text_inside_the_sample_is_held_to_what_was_said_of_it_too() -> None:
    ingest = await IngestUnderTest.of()
    source = AssetSource(text=CHAT, facts={"text_length": len(CHAT) + 1})

    await ingest.hear(a_sample_submitted(assets={"text": source}))

    [rejected] = ingest.announced.of(SampleRejected)
    assert [fault.pointer for fault in rejected.faults] == ["/assets/text/facts/text_length"]


async def test_an_asset_may_be_in_another_language_than_its_sample() -> None:
    ingest = await IngestUnderTest.of()
    assets = {"text": AssetSource(text="Guten Tag", language="de"), "audio": AssetSource(upload="u")}

    await ingest.hear(
        ingest.put("u", (MEDIA / "audio" / "robin.ogg").read_bytes()), a_sample_submitted(assets=assets, language="en")
    )

    [ingested] = ingest.announced.of(SampleIngested)
    assert {slot: facts.language for slot, facts in ingested.assets.items()} == {"text": "de", "audio": "en"}


def test_only_facts_that_are_measured_can_be_declared() -> None:
    spec = a_parsed_spec()

    faults = check_sample(spec, {"chat": {"text": "Hello.", "facts": {"text_lenght": 6}}})

    assert [fault.code for fault in faults] == ["unknown-fact"]
    assert "text_length" in faults[0].message
    assert check_sample(spec, {"chat": {"text": "Hello.", "facts": {"text_length": 6}, "language": "en"}}) == []


AGED = {"age": ["18-39", "40-64", "65+"]}
YES = {"consent": {"given": True}}


@pytest.mark.parametrize(
    ("metadata", "codes"),
    [
        ({}, []),
        ({"channel": "phone", "licence": "CC-BY-4.0", "captured_at": "2026-11-24T08:00:00+01:00", "mine": 1}, []),
        ({"channel": 7, "licence": " "}, ["/metadata/channel wrong-type", "/metadata/licence wrong-type"]),
        ({"captured_at": "2026-11-24T08:00:00"}, ["/metadata/captured_at wrong-type"]),
        ({"captured_at": "yesterday"}, ["/metadata/captured_at wrong-type"]),
        ({"consent": "yes"}, ["/metadata/consent wrong-type"]),
        ({"consent": {"given": False}}, ["/metadata/consent/given no-consent"]),
        ({"demographics": {"age": "65+"}, **YES}, []),
        ({"demographics": {"age": "65+"}}, ["/metadata/demographics no-consent"]),
        ({"demographics": {"age": "old"}, **YES}, ["/metadata/demographics/age unknown-value"]),
        ({"demographics": {"religion": "any"}, **YES}, ["/metadata/demographics/religion undeclared-attribute"]),
        ({"demographics": ["65+"], **YES}, ["/metadata/demographics wrong-type"]),
    ],
)
def test_metadata_that_has_a_meaning_is_checked(metadata: dict[str, Any], codes: list[str]) -> None:
    faults = metadata_faults(a_parsed_spec(demographics=AGED), metadata)

    assert [f"{fault.pointer} {fault.code}" for fault in faults] == codes
    assert all(fault.message.endswith(".") for fault in faults)
