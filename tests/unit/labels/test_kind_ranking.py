from shared.labels.facts import AssetFacts
from tests.unit.labels.label_builders import a_field, accepted, refused

TRIPLE = AssetFacts(modality="record", candidates=("A", "B", "C"))


def test_tiers_keep_their_order_and_ties_have_none():
    best = a_field("ranking")

    assert accepted(best, [["C"], ["B", "A"]], TRIPLE) == [["C"], ["A", "B"]]


def test_every_candidate_has_exactly_one_place():
    best = a_field("ranking")

    faults = refused(best, [["A", "D"], ["A"], []], TRIPLE)

    assert faults == [
        ("/0/1", "unknown-candidate"),
        ("/1/0", "duplicate"),
        ("/2", "wrong-type"),
        ("", "missing-candidate"),
    ]


def test_a_field_may_forbid_ties():
    best = a_field("ranking", ties=False)

    assert refused(best, [["A", "B"], ["C"]], TRIPLE) == [("/0", "tie")]
    assert accepted(best, [["A"], ["B"], ["C"]], TRIPLE) == [["A"], ["B"], ["C"]]


def test_unknown_candidates_are_only_checked_among_themselves():
    best = a_field("ranking")

    assert accepted(best, [["x"], ["y"]], AssetFacts(modality="record")) == [["x"], ["y"]]
    assert refused(best, [["x"], ["x"]], AssetFacts(modality="record")) == [("/1/0", "duplicate")]


def test_rubbish_is_told_place_by_place():
    best = a_field("ranking")

    assert refused(best, "A", TRIPLE) == [("", "wrong-type")]
    assert refused(best, [], TRIPLE) == [("", "too-few")]
    assert refused(best, [["A", 1], "B", ["C", "\ud800"]], TRIPLE)[:3] == [
        ("/0/1", "wrong-type"),
        ("/1", "wrong-type"),
        ("/2/1", "wrong-type"),
    ]
