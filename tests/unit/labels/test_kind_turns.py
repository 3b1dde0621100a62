import pytest

from shared.labels.facts import AssetFacts
from shared.labels.kinds.turns import count_turns
from tests.unit.labels.label_builders import a_field, a_turn, accepted, refused

THREE = AssetFacts(modality="text", turns=3)


@pytest.mark.parametrize(
    ("conversation", "turns"),
    [
        ("A: Hello?\nB: Hi!", 2),
        ("A: Hello?\r\n\r\nB: Hi!\r\n \t\nA: Bye.\r", 3),
        ("one line\u2028still the same line", 1),
        ({"turns": [{"text": "Hello?"}, {"text": ""}]}, 2),
        ({"turns": "Hello?"}, None),
        ({}, None),
    ],
)
def test_turns_are_the_lines_of_a_text_that_are_not_blank_or_the_entries_of_a_record(conversation, turns):
    assert count_turns(conversation) == turns


def test_turns_are_in_the_order_of_the_conversation_and_their_links_sorted():
    turns = [a_turn(2, (1, "repeats"), (1, "answers"), (0, "repeats")), a_turn(0, links=[]), a_turn(1)]

    canonical = accepted(a_field("turns"), turns, THREE)

    assert [turn["turn"] for turn in canonical] == [0, 1, 2]
    assert ["links" in turn for turn in canonical] == [False, False, True]
    assert [(link["to"], link["label"]) for link in canonical[2]["links"]] == [
        (0, "repeats"),
        (1, "answers"),
        (1, "repeats"),
    ]


@pytest.mark.parametrize(
    ("turn", "fault"),
    [
        (a_turn(3), ("/0/turn", "outside-asset")),
        (a_turn(-1), ("/0/turn", "out-of-range")),
        (a_turn(0, turn="0"), ("/0/turn", "wrong-type")),
        (a_turn(0, turn=10**30), ("/0/turn", "out-of-range")),
        (a_turn(0, label="fox"), ("/0/label", "unknown-label")),
        (a_turn(0, (3, "answers")), ("/0/links/0/to", "outside-asset")),
        (a_turn(0, (0, "answers")), ("/0/links/0/to", "self-link")),
        (a_turn(0, (1, "shouts")), ("/0/links/0/label", "unknown-label")),
        (a_turn(0, (1, "answers"), (1, "answers")), ("/0/links/1", "duplicate")),
        (a_turn(0, links=[{"to": 1}]), ("/0/links/0/label", "missing")),
        (a_turn(0, *[(1, "answers")] * 101), ("/0/links", "too-long")),
    ],
)
def test_a_turn_that_is_wrong_is_named(turn, fault):
    assert refused(a_field("turns"), [turn], THREE) == [fault]


def test_a_turn_has_one_label():
    assert refused(a_field("turns"), [a_turn(1), a_turn(1, id="again")], THREE) == [("/1/turn", "duplicate")]


def test_links_are_given_only_where_the_field_asks_for_them():
    plain = a_field("turns", links=[])

    assert refused(plain, [a_turn(1, (0, "answers"))], THREE) == [("/0/links", "not-asked")]
    assert refused(plain, [a_turn(1, links=[])], THREE) == [("/0/links", "not-asked")]


def test_a_field_may_want_every_turn():
    every = a_field("turns", complete=True)

    assert refused(every, [a_turn(1)], THREE) == [("", "missing-turn")]
    assert len(accepted(every, [a_turn(2), a_turn(0), a_turn(1)], THREE)) == 3
    assert accepted(every, [a_turn(7)], AssetFacts(modality="text"))  # how many there are is not known


def test_types_of_links_given_twice_are_a_fault_of_the_spec():
    field = a_field("turns", links=["answers", "answers"])

    assert [(fault.pointer, fault.code) for fault in field.faults()] == [("/links/1", "duplicate")]
