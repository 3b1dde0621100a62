"""The rules' language, held against a second implementation of CEL."""

from typing import Any

import cel
import celpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

FIELDS: dict[str, Any] = {
    "tone": "calm",
    "score": 3.5,
    "count": 4,
    "done": True,
    "nothing": None,
    "topics": ["bill", "card"],
    "entities": [
        {"id": "1", "start": 0, "end": 4, "label": "city", "weight": 0.5},
        {"id": "2", "start": 3, "end": 9, "label": "date", "weight": 1.5},
    ],
}

EXPRESSIONS = [
    'fields.tone == "calm"',
    'fields.tone != "calm" || fields.done',
    "fields.tone in ['calm', 'flat']",
    "'card' in fields.topics",
    "size(fields.topics) == 2 && fields.topics[1] == 'card'",
    "fields.entities.all(e, e.start < e.end)",
    "fields.entities.exists(e, e.label == 'date' && e.weight > 1.0)",
    "fields.entities.exists_one(e, e.label == 'city')",
    "fields.entities.filter(e, e.end > 5).size() == 1",
    "fields.entities.map(e, e.label) == ['city', 'date']",
    "fields.entities.all(a, fields.entities.all(b, a == b || a.id != b.id))",
    "has(fields.missing)",
    "!has(fields.missing) || fields.missing == 1",
    "has(fields.tone) && fields.tone.startsWith('ca')",
    "fields.tone.endsWith('lm') && fields.tone.contains('al')",
    "fields.tone.matches('^c[a-z]+m$')",
    "fields.score > 3.0 && fields.score * 2.0 == 7.0",
    "fields.count + 1 == 5 && fields.count % 3 == 1 && fields.count / 3 == 1",
    "fields.done ? fields.count > 3 : fields.count < 3",
    "fields.nothing == null",
    "double(fields.count) / 8.0 == 0.5",
    "string(fields.count) + fields.tone == '4calm'",
    "int('7') > fields.count",
    'duration("90s") > duration("1m")',
    'timestamp("2026-11-26T00:00:00Z") < timestamp("2026-11-27T00:00:00Z")',
    "[1, 2] + [3] == [1, 2, 3]",
    "{'a': 1}.a == 1 && 'a' in {'a': 1}",
    "-fields.count < 0 && !(fields.count == 5)",
    "fields.entities[0].weight + fields.entities[1].weight == 2.0",
    "fields.topics == ['bill'] + ['card']",
]


def ours(expression: str, fields: dict[str, Any]) -> Any:
    return cel.compile(expression).execute({"fields": fields})


def theirs(expression: str, fields: dict[str, Any]) -> Any:
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression))
    return program.evaluate({"fields": celpy.json_to_cel(fields)})


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_implementations_of_the_language_agree(expression: str):
    assert bool(ours(expression, FIELDS)) == bool(theirs(expression, FIELDS))


NAMES = st.sampled_from(["tone", "score", "count", "done", "topics"])
LITERALS = st.sampled_from(["'calm'", "3.5", "4", "true", "'card'", "2.0"])
COMPARISONS = st.builds(
    lambda name, sign, literal: f"(type(fields.{name}) == type({literal}) && fields.{name} {sign} {literal})",
    NAMES,
    st.sampled_from(["==", "!="]),
    LITERALS,
)
LOOPS = st.builds(
    lambda loop, member, sign, number: f"fields.entities.{loop}(e, e.{member} {sign} {number})",
    st.sampled_from(["all", "exists", "exists_one"]),
    st.sampled_from(["start", "end"]),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.integers(0, 10),
)
TREES = st.recursive(
    COMPARISONS | LOOPS,
    lambda inner: (
        st.builds("({} && {})".format, inner, inner)
        | st.builds("({} || {})".format, inner, inner)
        | st.builds("!{}".format, inner)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
    ),
    max_leaves=6,
)
SPANS = st.lists(st.fixed_dictionaries({"start": st.integers(0, 10), "end": st.integers(0, 10)}), max_size=4)


@given(expression=TREES, entities=SPANS)
@settings(max_examples=60, deadline=None)
def test_both_agree_on_whatever_is_built_of_comparisons_and_loops(expression: str, entities: list[dict[str, int]]):
    fields = FIELDS | {"entities": entities}

    assert bool(ours(expression, fields)) == bool(theirs(expression, fields))


def test_texts_are_measured_in_bytes_and_chars_is_there_for_that():
    """CEL counts code points; our library does not, so rules have ``chars``."""
    assert ours("size(fields.tone)", {"tone": "é€"}) == 5
    assert theirs("size(fields.tone)", {"tone": "é€"}) == 2
