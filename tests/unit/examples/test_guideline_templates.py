"""The templates are sound projects with good guidelines, one by one and joined."""

from itertools import combinations
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labelmesh.cli import app
from labelmesh.templates import join, read_template
from shared.labels.project import check_spec, parse_spec_text

FOLDER = Path("examples/guidelines")
COVERED = {
    "text": {"intent", "entities", "sentiment", "flow", "preference"},
    "image": {"objects", "outlines", "subject", "writing", "scene"},
    "audio": {"speech", "tone", "emotion", "background"},
    "video": {"tracked", "actions", "events", "transitions"},
    "sensor": {"anomalies", "channels", "calibration"},
}


def test_there_is_a_template_for_each_modality_that_needs_guidelines():
    assert {path.stem for path in FOLDER.glob("*.yaml")} == COVERED.keys()


@pytest.mark.parametrize("modality", COVERED)
def test_a_template_is_a_sound_project_as_it_stands(modality: str):
    checked = check_spec(parse_spec_text((FOLDER / f"{modality}.yaml").read_text()))

    assert list(checked.faults) == []
    assert list(checked.warnings) == []
    assert checked.spec is not None
    assert checked.spec.fields.keys() == COVERED[modality]


@pytest.mark.parametrize("modality", COVERED)
def test_every_field_of_a_template_is_guided_with_positive_and_negative_examples(modality: str):
    spec = check_spec(parse_spec_text((FOLDER / f"{modality}.yaml").read_text())).spec

    assert spec is not None
    for name in COVERED[modality]:
        examples = spec.guidelines[name].examples
        assert {example.verdict for example in examples} == {"positive", "negative"}, name
        assert all(example.why for example in examples), name


@pytest.mark.parametrize(("one", "other"), list(combinations(sorted(COVERED), 2)))
def test_two_templates_join_to_a_sound_project(one: str, other: str):
    templates = {name: read_template((FOLDER / f"{name}.yaml").read_text()) for name in (one, other)}

    checked = check_spec(join(templates, "Joined", "Learn both."))

    assert list(checked.faults) == []
    assert checked.spec is not None
    assert checked.spec.fields.keys() == COVERED[one] | COVERED[other]
    assert checked.spec.objective.goal == "Learn both."


def test_the_command_prints_a_spec_that_can_be_checked_and_published():
    files = [str(FOLDER / "text.yaml"), str(FOLDER / "audio.yaml")]

    result = CliRunner().invoke(app, ["project", "new", *files, "--title", "Calls"])

    assert result.exit_code == 0
    checked = check_spec(parse_spec_text(result.stdout))
    assert list(checked.faults) == []
    assert checked.spec is not None
    assert checked.spec.title == "Calls"
    assert "**Intent** is what the writer" in checked.spec.guidelines["intent"].text


def test_templates_that_give_one_name_twice_are_not_joined(tmp_path: Path):
    mine = tmp_path / "mine.yaml"
    mine.write_text((FOLDER / "audio.yaml").read_text().replace("  recording: {", "  other: {"))

    result = CliRunner().invoke(app, ["project", "new", str(FOLDER / "audio.yaml"), str(mine), "--title", "Both"])

    assert result.exit_code == 1
    assert "mine.yaml both have 'speech' under fields; rename it" in result.stderr


def test_words_stay_words():
    template = read_template("objective: {}\nlanguages: [no, en]\nfields: {a: {options: [on, off], required: true}}")

    assert template["languages"] == ["no", "en"]
    assert template["fields"] == {"a": {"options": ["on", "off"], "required": True}}
