"""A project's limits are compared with what was found."""

import pytest

from services.ingest.domain.limits import check_limits
from shared.labels.facts import AssetFacts
from shared.labels.spec import AssetSpec


@pytest.mark.parametrize(
    ("spec", "facts", "codes"),
    [
        (AssetSpec(modality="image", max_bytes=10), AssetFacts(modality="image", size=10), []),
        (AssetSpec(modality="image", max_bytes=10), AssetFacts(modality="image", size=11), ["too-many-bytes"]),
        (AssetSpec(modality="audio", max_seconds=2), AssetFacts(modality="audio", duration=2.0), []),
        (AssetSpec(modality="audio", max_seconds=2), AssetFacts(modality="audio", duration=2.001), ["too-long"]),
        (AssetSpec(modality="text", max_chars=3), AssetFacts(modality="text", text_length=3), []),
        (AssetSpec(modality="text", max_chars=3), AssetFacts(modality="text", text_length=4), ["too-long"]),
        (AssetSpec(modality="text"), AssetFacts(modality="text", text_length=10**6, size=10**7), []),
        (AssetSpec(modality="image"), AssetFacts(modality="text", text_length=1), ["wrong-type"]),
    ],
)
def test_what_exceeds_a_limit_is_named(spec: AssetSpec, facts: AssetFacts, codes: list[str]) -> None:
    faults = check_limits(spec, facts)

    assert [fault.code for fault in faults] == codes


def test_all_that_is_exceeded_is_told_at_once() -> None:
    spec = AssetSpec(modality="video", max_bytes=10, max_seconds=1)

    faults = check_limits(spec, AssetFacts(modality="video", size=11, duration=1.5))

    assert [fault.code for fault in faults] == ["too-many-bytes", "too-long"]
    assert faults[1].message == (
        "It lasts 1.500 s; the project takes at most 1 s. Send a smaller asset, or raise the limit in the project."
    )
