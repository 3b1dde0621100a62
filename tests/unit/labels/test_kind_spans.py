import pytest

from shared.labels.answer import check_value
from shared.labels.facts import AssetFacts
from tests.unit.labels.label_builders import a_field, a_span, accepted, refused

TEN = AssetFacts(modality="text", text_length=10)


def test_spans_are_sorted_by_place():
    spans = accepted(a_field("spans"), [a_span(5, 6), a_span(0, 9), a_span(0, 3)], TEN)

    assert [(span["start"], span["end"]) for span in spans] == [(0, 3), (0, 9), (5, 6)]


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        (a_span(4, 4), ("/0/end", "empty-span")),
        (a_span(5, 4), ("/0/end", "empty-span")),
        (a_span(4, 11), ("/0/end", "outside-asset")),
        (a_span(-1, 4), ("/0/start", "out-of-range")),
        (a_span(0, 4, start=1.5), ("/0/start", "wrong-type")),
        (a_span(0, 4, start=False), ("/0/start", "wrong-type")),
        (a_span(0, 4, end=10**30), ("/0/end", "out-of-range")),
        (a_span(0, 4, label="fox"), ("/0/label", "unknown-label")),
        (a_span(0, 4, label=None), ("/0/label", "wrong-type")),
        (a_span(0, 4, id="no spaces"), ("/0/id", "malformed")),
        (a_span(0, 4, id=7), ("/0/id", "wrong-type")),
        (a_span(0, 4, colour="red"), ("/0/colour", "unknown-key")),
        ("span", ("/0", "wrong-type")),
    ],
)
def test_a_span_that_is_wrong_is_named(span: object, fault: tuple[str, str]):
    assert refused(a_field("spans"), [span], TEN) == [fault]


def test_a_message_names_the_item_what_is_wrong_and_what_is_allowed():
    _, [fault] = check_value(a_field("spans"), TEN, [a_span(0, 4, id="e3", label="catt")])

    assert fault.message == (
        'Item "e3": "catt" is not a label of this field; did you mean "cat"? Allowed: "cat", "dog", "Ente".'
    )


def test_all_faults_of_all_items_are_told():
    faults = refused(a_field("spans"), [a_span(3, 2, label="fox"), a_span(0, 99), a_span(0, 1, id="s0-99"), 3], TEN)

    assert faults == [
        ("/0/end", "empty-span"),
        ("/0/label", "unknown-label"),
        ("/1/end", "outside-asset"),
        ("/2/id", "duplicate"),
        ("/3", "wrong-type"),
    ]


def test_thousands_of_faults_are_cut_short_and_counted():
    faults = refused(a_field("spans"), [3] * 5_000, TEN)

    assert len(faults) == 201
    assert faults[-1] == ("", "more-faults")


def test_too_many_spans_are_refused_unread():
    assert refused(a_field("spans"), [a_span(0, 1)] * 5_001, TEN) == [("", "too-many")]
    assert refused(a_field("spans", max_items=1), [a_span(0, 1), a_span(1, 2)], TEN) == [("", "too-many")]
    assert refused(a_field("spans", min_items=1), [], TEN) == [("", "too-few")]


def test_a_field_may_forbid_overlaps():
    apart = a_field("spans", overlapping=False)

    assert len(accepted(apart, [a_span(0, 3), a_span(3, 5)], TEN)) == 2
    assert refused(apart, [a_span(6, 8), a_span(0, 9), a_span(1, 2)], TEN) == [("", "overlap"), ("", "overlap")]


def test_without_facts_only_the_shape_is_checked():
    assert accepted(a_field("spans"), [a_span(0, 99)], AssetFacts(modality="text"))


def test_labels_given_twice_and_bounds_that_cross_are_faults_of_the_spec():
    field = a_field("spans", labels=["a", "b", "a"], min_items=3, max_items=1, attributes={})

    assert [(fault.pointer, fault.code) for fault in field.faults()] == [
        ("/labels/2", "duplicate"),
        ("/max_items", "out-of-range"),
    ]
