"""What holds for the agreement and the consensus of every kind, whatever the labels are."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from services.qa.domain.kinds import KINDS, Answer
from shared.labels.kinds import KINDS as LABEL_KINDS
from shared.labels.kinds import FieldSpec

READ_OPTIONS = TypeAdapter(FieldSpec)

COLUMNS = {"number": {"type": "number"}, "name": {"type": "string"}, "nested": {"type": "object"}}
LABELS = ["cat", "dog"]
ATTRIBUTES = {"occluded": "boolean", "colour": ["red", "blue"]}
OPTIONS = {
    name: READ_OPTIONS.validate_python(options | {"kind": name.split(":")[0]})
    for name, options in {
        "choice": {"options": ["a", "b", "c"]},
        "choice:multiple": {"options": ["a", "b", "c"], "multiple": True},
        "rating": {"minimum": 1, "maximum": 5, "step": 1},
        "ranking": {"asset": "responses"},
        "ranking:strict": {"asset": "responses", "ties": False},
        "ranking:many": {"asset": "responses"},
        "text": {},
        "record": {"schema": {"type": "object", "properties": COLUMNS}},
        "spans": {"asset": "chat", "labels": LABELS, "attributes": ATTRIBUTES},
        "spans:apart": {"asset": "chat", "labels": LABELS, "overlapping": False, "attributes": ATTRIBUTES},
        "regions": {
            "asset": "image",
            "labels": LABELS,
            "shapes": ["box", "polygon"],
            "text": True,
            "attributes": ATTRIBUTES,
        },
        "regions:shapes": {
            "asset": "image",
            "labels": LABELS,
            "shapes": ["rotated_box", "polyline", "keypoints", "mask"],
            "keypoints": ["head", "tail"],
            "reading_order": True,
        },
        "segments": {
            "asset": "series",
            "labels": LABELS,
            "speaker": True,
            "text": True,
            "channels": True,
            "attributes": ATTRIBUTES,
        },
        "tracks": {"asset": "clip", "labels": LABELS},
        "turns": {"asset": "chat", "labels": LABELS, "links": ["answers", "repeats"], "attributes": ATTRIBUTES},
        "moments": {"asset": "voice", "labels": LABELS, "channels": True, "attributes": ATTRIBUTES},
        "relations": {"labels": LABELS, "from": ["people"], "to": ["words", "people"]},
        "relations:undirected": {"labels": LABELS, "from": ["people"], "to": ["words", "people"], "directed": False},
    }.items()
}

numbers = st.integers(0, 40).map(lambda number: number / 4)
sizes = st.integers(1, 40).map(lambda number: number / 4)
boxes = {"x": numbers, "y": numbers, "width": sizes, "height": sizes}
labels = st.sampled_from(LABELS)
words = st.text("ab cé", min_size=1, max_size=8)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["x", "y", "é"]))


def optional(strategies: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=strategies)


def items_of(item: st.SearchStrategy[dict[str, Any]], most: int = 4) -> st.SearchStrategy[list[dict[str, Any]]]:
    def with_ids(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"id": f"i{number}", **item} for number, item in enumerate(items)]

    return st.lists(item, max_size=most).map(with_ids)


def tiers_of(candidates: str, ties: bool) -> st.SearchStrategy[list[list[str]]]:
    def tiers(places: list[int]) -> list[list[str]]:
        return [
            [name for name, place in zip(candidates, places, strict=True) if place == tier]
            for tier in sorted(set(places))
        ]

    count = len(candidates)
    places = st.lists(st.integers(0, count), min_size=count, max_size=count) if ties else st.permutations(range(count))
    return places.map(tiers)


def ranges(unit: float) -> st.SearchStrategy[dict[str, Any]]:
    pairs = st.tuples(st.integers(0, 30), st.integers(1, 12))
    return pairs.map(lambda pair: {"start": pair[0] * unit, "end": (pair[0] + pair[1]) * unit})


def rings(x: float, y: float, width: float, height: float) -> list[list[float]]:
    return [[x, y], [x + width, y], [x + width / 2, y + height]]


def joined(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


def without_overlap(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for span in sorted(spans, key=lambda span: (span["start"], span["end"])):
        if not kept or kept[-1]["end"] <= span["start"]:
            kept.append(span)
    return kept


labeled = st.fixed_dictionaries({"label": labels})
described = optional({"attributes": optional({"occluded": st.booleans(), "colour": st.sampled_from(["red", "blue"])})})
extras = joined(optional({"text": words}), described)
channels = optional({"channels": st.lists(st.sampled_from("xyz"), min_size=1, max_size=2, unique=True)})
points = st.tuples(numbers, numbers).map(list)
away = numbers.map(lambda number: number + 20)
turned = {"x": away, "y": away, "rotation": st.integers(0, 350)}  # no corner leaves the picture
shapes = st.one_of(
    st.fixed_dictionaries({"shape": st.just("rotated_box"), **boxes, **turned}),
    st.fixed_dictionaries(
        {"shape": st.just("polyline"), "points": st.lists(points, min_size=2, max_size=4, unique_by=tuple)}
    ),
    st.fixed_dictionaries(
        {
            "shape": st.just("keypoints"),
            "keypoints": st.dictionaries(
                st.sampled_from(["head", "tail"]), st.fixed_dictionaries({"x": numbers, "y": numbers}), min_size=1
            ),
        }
    ),
    st.tuples(st.integers(0, 30), st.integers(1, 40)).map(
        lambda run: {"shape": "mask", "rle": {"size": [10, 10], "counts": [run[0], run[1], 100 - sum(run)]}}
    ),
)


def in_order(regions: list[dict[str, Any]], turned: bool) -> list[dict[str, Any]]:
    places = range(len(regions))
    return [{**region, "order": -n % 7 if turned else n} for n, region in zip(places, regions, strict=True)]


spans = items_of(joined(ranges(1), labeled, described))
keyframes = st.lists(
    joined(
        st.fixed_dictionaries({"frame": st.integers(0, 50), **boxes}),
        st.sampled_from([{}, {}, {"outside": True}]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda keyframe: keyframe["frame"],
)


def turns_of(numbers: list[int], links: list[tuple[int, str]], label: str) -> list[dict[str, Any]]:
    drawn = [{"to": to, "label": of} for to, of in links]
    return [
        {"id": f"t{number}", "turn": number, "label": label, "links": [link for link in drawn if link["to"] != number]}
        for number in numbers
    ]


def relations_of(pairs: list[tuple[str, str, str, str]]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"r{number}",
            "label": label,
            "from": {"field": "people", "id": start},
            "to": {"field": field, "id": end},
        }
        for number, (label, start, field, end) in enumerate(pairs)
    ]


link_types = st.sampled_from(["answers", "repeats"])
linked = st.lists(
    st.tuples(labels, st.sampled_from("ab"), st.sampled_from(["words", "people"]), st.sampled_from("cd")),
    max_size=4,
    unique=True,
).map(relations_of)
RAW: dict[str, st.SearchStrategy[Any]] = {
    "choice": st.sampled_from("abc"),
    "choice:multiple": st.lists(st.sampled_from("abc"), max_size=3),
    "rating": st.integers(1, 5),
    "ranking": tiers_of("PQRS", ties=True),
    "ranking:strict": tiers_of("PQRS", ties=False),
    "ranking:many": tiers_of("ABCDEFGHIJ", ties=True),
    "text": joined(st.fixed_dictionaries({"text": words}), optional({"language": st.sampled_from(["en", "de"])})),
    "record": optional(
        {
            "number": st.integers(0, 3),
            "name": words,
            "nested": optional({"a": scalars, "b/~": scalars, "list": st.lists(scalars, max_size=2)}),
            "free": st.one_of(scalars, optional({"a": scalars})),
        }
    ),
    "spans": spans,
    "spans:apart": spans.map(without_overlap),
    "regions": items_of(
        joined(
            st.one_of(
                st.fixed_dictionaries({"shape": st.just("box"), **boxes}),
                st.fixed_dictionaries({"shape": st.just("polygon"), "points": st.builds(rings, **boxes)}),
            ),
            labeled,
            extras,
        )
    ),
    "regions:shapes": st.builds(in_order, items_of(joined(shapes, labeled)), st.booleans()),
    "segments": items_of(
        joined(ranges(0.5), labeled, optional({"speaker": st.sampled_from("ABC"), "text": words}), described, channels),
        most=5,
    ),
    "tracks": items_of(joined(st.fixed_dictionaries({"keyframes": keyframes}), labeled), most=3),
    "turns": st.builds(
        turns_of,
        st.lists(st.integers(0, 5), max_size=4, unique=True),
        st.lists(st.tuples(st.integers(0, 5), link_types), max_size=3, unique=True),
        labels,
    ),
    "moments": items_of(joined(st.fixed_dictionaries({"time": numbers}), labeled, described, channels)),
    "relations": linked,
    "relations:undirected": linked,
}


def canonical(name: str, raw: Any) -> Any:
    options = OPTIONS[name]
    checked = LABEL_KINDS[options.kind].check(options, None, raw)
    assert not checked.faults, checked.faults
    return checked.value


def values(name: str) -> st.SearchStrategy[Any]:
    return RAW[name].map(lambda raw: canonical(name, raw))


def answers(name: str, least: int = 1) -> st.SearchStrategy[list[Answer]]:
    given_values = st.lists(values(name), min_size=least, max_size=5)
    weights = st.lists(st.sampled_from([0.2, 0.85, 0.85, 1.0, 3.5]), min_size=5, max_size=5)
    return st.tuples(given_values, weights).map(
        lambda drawn: [
            Answer(f"annotator-{number}", value, weight)
            for number, (value, weight) in enumerate(zip(drawn[0], drawn[1], strict=False))
        ]
    )


every_kind = pytest.mark.parametrize("name", OPTIONS)
some = settings(max_examples=40, deadline=None, derandomize=True)


def test_every_kind_of_label_has_agreement_and_consensus():
    missing = LABEL_KINDS.keys() - KINDS.keys()

    assert not missing, f"services/qa/domain/kinds has no module for: {', '.join(sorted(missing))}"
    assert {options.kind for options in OPTIONS.values()} == LABEL_KINDS.keys(), "and each is tested here"


@every_kind
@some
@given(data=st.data())
def test_distance_is_0_on_itself_symmetric_and_within_0_and_1(name, data):
    left, right = data.draw(values(name)), data.draw(values(name))
    options, kind = OPTIONS[name], KINDS[OPTIONS[name].kind]

    apart = kind.distance(left, right, options)

    assert 0 <= apart <= 1
    assert apart == pytest.approx(kind.distance(right, left, options), abs=1e-9)
    assert kind.distance(left, left, options) == 0
    # The registry answers equal values itself; the kind's own formula must agree.
    assert kind._distance(left, left, options) == pytest.approx(0, abs=1e-9)


@every_kind
@some
@given(data=st.data())
def test_consensus_of_equal_answers_is_that_answer_with_full_confidence(name, data):
    value, count = data.draw(values(name)), data.draw(st.integers(1, 4))
    given_answers = [Answer(f"annotator-{number}", value, weight=0.5 + number) for number in range(count)]

    found = KINDS[OPTIONS[name].kind].consensus(given_answers, OPTIONS[name])

    assert found.value == value
    assert found.confidence == pytest.approx(1)


@every_kind
@some
@given(data=st.data())
def test_consensus_does_not_depend_on_the_order_of_the_answers(name, data):
    given_answers = data.draw(answers(name))
    kind = KINDS[OPTIONS[name].kind]

    found = kind.consensus(given_answers, OPTIONS[name])

    assert kind.consensus(data.draw(st.permutations(given_answers)), OPTIONS[name]) == found


@every_kind
@some
@given(data=st.data())
def test_consensus_is_a_value_that_the_field_accepts_with_a_confidence_in_0_to_1(name, data):
    given_answers = data.draw(answers(name))

    found = KINDS[OPTIONS[name].kind].consensus(given_answers, OPTIONS[name])

    assert canonical(name, found.value) == found.value
    assert 0 <= found.confidence <= 1
    assert all(0 <= share <= 1 + 1e-9 and math.isfinite(share) for share in found.support.values())


@every_kind
@some
@given(data=st.data())
def test_two_equal_answers_of_equal_weight_outvote_a_third(name, data):
    majority, other = data.draw(values(name)), data.draw(values(name))
    given_answers = [Answer("ana", majority), Answer("bo", other), Answer("chi", majority)]

    found = KINDS[OPTIONS[name].kind].consensus(given_answers, OPTIONS[name])

    assert KINDS[OPTIONS[name].kind].distance(found.value, majority, OPTIONS[name]) == pytest.approx(0, abs=1e-9)


@every_kind
def test_no_answer_at_all_gives_no_value_and_no_confidence(name):
    kind = KINDS[OPTIONS[name].kind]

    assert kind.consensus([], OPTIONS[name]).value is None
    assert kind.consensus([Answer("ana", None)], OPTIONS[name]).confidence == 0


@every_kind
@some
@given(data=st.data())
def test_an_answer_is_as_far_as_can_be_from_no_answer(name, data):
    value, kind = data.draw(values(name)), KINDS[OPTIONS[name].kind]

    assert kind.distance(value, None, OPTIONS[name]) == kind.distance(None, value, OPTIONS[name]) == 1
    assert kind.distance(None, None, OPTIONS[name]) == 0
