"""The example of each kind, on which the page on labels is built."""

import pytest

from ops import label_page
from shared.labels.canonical import canonical_json
from shared.labels.kinds import KINDS
from shared.labels.kinds.examples import EXAMPLES
from shared.labels.kinds.items import Item

every_kind = pytest.mark.parametrize("name", sorted(KINDS))


def test_every_kind_has_an_example():
    assert set(EXAMPLES) == set(KINDS)


@every_kind
def test_the_value_of_an_example_is_accepted_as_it_stands(name: str):
    example = EXAMPLES[name]

    value, faults = KINDS[name].check(example.field, example.facts, example.value)

    assert list(faults) == list(example.field.faults()) == label_page.faults_of(KINDS[name], example, value) == []
    assert canonical_json(value) == canonical_json(example.value)


@every_kind
def test_each_wrong_value_of_an_example_is_refused(name: str):
    example = EXAMPLES[name]

    codes = [{fault.code for fault in label_page.faults_of(KINDS[name], example, wrong)} for wrong in example.wrong]

    assert all(codes)
    assert len(set().union(*codes)) > 1, "examples of more than one thing that can be wrong"


@every_kind
def test_the_page_tells_options_value_example_faults_and_limits(name: str):
    section = label_page.render().partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    example = EXAMPLES[name]

    for part in ("**Options**", "**Value.**", "**Kept as.**", "**A field**", "**A value of it**", "**Faults**"):
        assert part in section
    assert all(f"{most:,} {what}" in section for what, most in example.limits.items())
    assert all(f"### {model.__name__}\n" in section for model in example.models)
    assert any(issubclass(model, Item) for model in example.models) == ("labels" in example.options)


def test_every_key_of_every_value_says_what_it_means():
    rows = [line for line in label_page.render().splitlines() if line.startswith("| `")]

    without = [row for row in rows if row.rstrip().endswith("|  |") and not row.startswith(("| `shape`", "| `kind`"))]

    assert rows
    assert without == []
