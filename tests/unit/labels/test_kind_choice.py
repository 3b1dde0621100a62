from tests.unit.labels.label_builders import a_field, accepted, refused


def test_one_option_is_one_string():
    mood = a_field("choice", options=["calm", "angry"], multiple=False)

    assert accepted(mood, "calm") == "calm"
    assert refused(mood, "Calm") == [("", "unknown-option")]
    assert refused(mood, ["calm"]) == [("", "wrong-type")]
    assert refused(mood, None) == [("", "wrong-type")]
    assert refused(mood, True) == [("", "wrong-type")]


def test_several_options_are_a_sorted_list_without_repetitions():
    tags = a_field("choice", options=["c", "a", "b"], multiple=True)

    assert accepted(tags, ["c", "a", "c"]) == ["a", "c"]
    assert accepted(tags, []) == []
    assert refused(tags, "a") == [("", "wrong-type")]
    assert refused(tags, ["a", "x", 3, ["b"]]) == [
        ("/1", "unknown-option"),
        ("/2", "unknown-option"),
        ("/3", "unknown-option"),
    ]


def test_bounds_count_distinct_options():
    tags = a_field("choice", options=["a", "b", "c"], multiple=True, min_items=2, max_items=2)

    assert accepted(tags, ["b", "a", "a"]) == ["a", "b"]
    assert refused(tags, ["a", "a"]) == [("", "too-few")]
    assert refused(tags, ["a", "b", "c"]) == [("", "too-many")]


def test_an_endless_list_is_refused_before_it_is_read():
    tags = a_field("choice", options=["a"], multiple=True)

    assert refused(tags, ["a"] * 1_000_000) == [("", "too-many")]


def test_options_that_contradict_each_other_are_faults():
    field = a_field("choice", options=["a", "b", "a"], multiple=False, max_items=9)

    assert [(fault.pointer, fault.code) for fault in field.faults()] == [
        ("/options/2", "duplicate"),
        ("/multiple", "contradiction"),
        ("/max_items", "out-of-range"),
    ]
