"""What the guides show is what the services take."""

import re
from pathlib import Path

import pytest

from shared.labels.guidelines import MAX_EXAMPLES, MAX_GUIDELINE_CHARS
from shared.labels.kinds.kind import MAX_LABELS
from shared.labels.project import check_spec, parse_spec_text
from shared.labels.rule import MAX_RULE_CHARS
from shared.labels.spec import MAX_ASSETS, MAX_FIELDS, MAX_RULES
from shared.labels.spec_text import MAX_DEPTH, MAX_NODES, MAX_SPEC_BYTES

GUIDE = Path("docs/guides/projects.md").read_text()
SHOWN = re.findall(r"```yaml\n(title:.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("text", SHOWN)
def test_a_spec_that_is_shown_is_sound(text: str):
    checked = check_spec(parse_spec_text(text))

    assert list(checked.faults) == []
    assert list(checked.warnings) == []


def test_the_limits_that_are_told_are_those_that_hold():
    assert SHOWN
    for line in (
        f"{MAX_SPEC_BYTES:,} bytes, {MAX_NODES:,} values, {MAX_DEPTH} levels",
        f"| {MAX_FIELDS}, {MAX_ASSETS}, {MAX_RULES} |",
        f"| {MAX_LABELS:,} |",
        f"{MAX_GUIDELINE_CHARS:,} characters, {MAX_EXAMPLES} examples",
        f"{MAX_RULE_CHARS:,} characters",
    ):
        assert line in GUIDE
