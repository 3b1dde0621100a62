"""The demo's samples: composed of real pieces, saying so, the same in every run."""

import unicodedata
from collections import Counter

from examples.compose import COMPOSED_NOTE, PROJECTS, authored_truth, corrupt_sample, demo_samples
from examples.sources import MEDIA, pieces


def test_each_project_gets_its_samples():
    counts = Counter(sample.project for sample in demo_samples())

    assert counts == {"support": 29, "blood-cells": 3, "meeting": 1, "tracking": 1, "sensor": 2, "preferences": 10}
    assert set(counts) == set(PROJECTS)


def test_samples_are_the_same_in_every_run_and_their_ids_are_unique():
    first, second = demo_samples(), demo_samples()

    assert first == second
    assert len({sample.external_id for sample in first}) == len(first)


def test_support_samples_say_that_they_are_composed_and_of_what():
    for sample in _support():
        sources = sample.metadata["sources"]

        assert sample.metadata["composed"] is True
        assert sample.metadata["note"] == COMPOSED_NOTE
        assert sources.keys() == {"chat", "screenshot", "voice_note"}
        for source in sources.values():
            assert source["licence"] == pieces()[source["id"]]["licence"]


def test_support_speaks_four_languages():
    assert {sample.language for sample in _support()} == {"en", "de", "zh", "pt"}


def test_texts_are_normalized_so_that_offsets_hold():
    for sample in _support():
        text = sample.assets["chat"].text

        assert unicodedata.normalize("NFC", text) == text
        for span in sample.truth["entities"]:
            assert text[span["start"] : span["end"]].strip(" .,?!") == text[span["start"] : span["end"]]


def test_where_the_source_names_an_entity_its_very_words_are_the_truth():
    [weather] = [sample for sample in _support() if "GetWeather" in sample.external_id]

    named = [(_words(weather, span), span["label"]) for span in weather.truth["entities"]]

    assert named == [("Monument of Lihula", "place"), ("december the 5th", "time")]


def test_one_friendly_text_meets_a_forceful_voice_so_that_the_rule_has_a_true_warning():
    contradicting = [
        sample
        for sample in _support()
        if sample.truth["sentiment"] == "positive" and sample.truth["tone"] == "forceful"
    ]

    assert [sample.external_id for sample in contradicting] == ["support-16-dlg-sgd-1_00000"]


def test_three_texts_are_hard_and_each_is_confused_with_something_wrong():
    hard = [sample for sample in demo_samples() if sample.hard]

    assert len(hard) == 3
    for sample in hard:
        for field, wrong in sample.confused_with.items():
            assert wrong != sample.truth[field]


def test_files_to_upload_lie_among_the_media():
    files = [asset.file for sample in demo_samples() for asset in sample.assets.values() if asset.file]

    assert all(file.is_file() and file.is_relative_to(MEDIA) for file in files)


def test_preferences_rank_exactly_their_candidates():
    for sample in demo_samples():
        if sample.project == "preferences":
            candidates = {candidate["id"] for candidate in sample.assets["responses"].record["candidates"]}

            assert sorted(id_ for tier in sample.truth["best"] for id_ in tier) == sorted(candidates)


def test_what_was_authored_repeats_nothing_that_a_source_states():
    for text_id, authored in authored_truth()["texts"].items():
        labels = pieces()[text_id].get("labels", {})

        assert not ("intent" in authored and "intent" in labels)
        assert not ("entities" in authored and "entities" in labels)


def test_the_corrupt_file_breaks_off_inside_its_header(tmp_path):
    sample = corrupt_sample(tmp_path / "made")

    file = sample.assets["smear"].file
    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_size == 20  # an intact one needs 24 to say how large the picture is
    assert "corrupt" in sample.external_id
    assert sample.truth is None


def _support():
    return [sample for sample in demo_samples() if sample.project == "support"]


def _words(sample, span):
    return sample.assets["chat"].text[span["start"] : span["end"]]
