from typing import Any

import pytest

from shared.labels.guidelines import are_same
from shared.labels.project import check_spec
from tests.unit.labels.label_builders import a_raw_spec, a_spec

EXAMPLE = {"verdict": "positive", "shows": "a box that touches the rim"}


def test_a_text_alone_is_a_guideline_without_examples():
    guidelines = a_spec(
        guidelines={"text": "Read twice.", "people": {"text": "All.", "examples": [EXAMPLE]}}
    ).guidelines

    assert (guidelines["text"].text, guidelines["text"].examples) == ("Read twice.", ())
    assert guidelines["people"].examples[0].verdict == "positive"


@pytest.mark.parametrize(
    "place",
    [
        "https://example.org/a.png",
        "/v1/samples/0190-ab/assets/photo",
        "https://example.org/a b.png".replace(" ", "%20"),
    ],
)
def test_an_example_may_show_media(place: str):
    examples = [EXAMPLE | {"media": place}]

    assert (
        a_spec(guidelines={"text": {"text": "Look.", "examples": examples}}).guidelines["text"].examples[0].media
        == place
    )


@pytest.mark.parametrize(
    ("guideline", "fault"),
    [
        ("", ("/guidelines/text", "too-short")),
        (5, ("/guidelines/text", "wrong-type")),
        ({"text": "x" * 100_001}, ("/guidelines/text/text", "too-long")),
        ({"txt": "x", "text": "y"}, ("/guidelines/text/txt", "unknown-key")),
        (
            {"text": "y", "examples": [EXAMPLE | {"verdict": "good"}]},
            ("/guidelines/text/examples/0/verdict", "unknown-value"),
        ),
        (
            {"text": "y", "examples": [EXAMPLE | {"media": "http://x"}]},
            ("/guidelines/text/examples/0/media", "malformed"),
        ),
        (
            {"text": "y", "examples": [EXAMPLE | {"media": "javascript:x"}]},
            ("/guidelines/text/examples/0/media", "malformed"),
        ),
        ({"text": "y", "examples": [{"verdict": "positive"}]}, ("/guidelines/text/examples/0/shows", "missing")),
    ],
)
def test_each_fault_of_a_guideline_has_its_pointer(guideline: Any, fault: tuple[str, str]):
    raw = a_raw_spec()
    raw["guidelines"]["text"] = guideline

    assert [(found.pointer, found.code) for found in check_spec(raw).faults] == [fault]


def test_guidelines_are_the_same_when_they_say_the_same():
    assert are_same({"text": "a"}, {"text": {"text": "a", "examples": []}})
    assert are_same(None, {})
    assert not are_same({"text": "a"}, {"text": "b"})
    assert not are_same({"text": "a"}, {"text": {"text": "a", "examples": [EXAMPLE]}})
    assert not are_same({"text": 5}, {})
