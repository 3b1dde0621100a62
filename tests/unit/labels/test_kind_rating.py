import pytest

from shared.labels.canonical import canonical_json
from tests.unit.labels.label_builders import a_field, accepted, refused


def test_ratings_are_floats_rounded_to_a_millionth():
    score = a_field("rating", minimum=-1, maximum=1, step=None)

    assert canonical_json(accepted(score, 1)) == b"1.0"
    assert canonical_json(accepted(score, -0.0)) == b"0.0"
    assert accepted(score, 0.12345678) == 0.123457


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (0, "out-of-range"),
        (5.5, "out-of-range"),
        (10**400, "out-of-range"),
        (2.5, "off-step"),
        (float("nan"), "not-finite"),
        (float("inf"), "not-finite"),
        (True, "wrong-type"),
        ("4", "wrong-type"),
        (None, "wrong-type"),
    ],
)
def test_what_is_not_on_the_scale_is_refused(raw: object, code: str):
    stars = a_field("rating", minimum=1, maximum=5, step=1)

    assert refused(stars, raw) == [("", code)]


def test_steps_of_a_tenth_are_met_in_spite_of_binary_fractions():
    share = a_field("rating", minimum=0, maximum=1, step=0.1)

    assert [accepted(share, tenths / 10) for tenths in range(11)] == [tenths / 10 for tenths in range(11)]


def test_a_scale_that_cannot_be_used_is_a_fault():
    empty = a_field("rating", minimum=5, maximum=5, step=None)
    ragged = a_field("rating", minimum=0, maximum=5, step=2)

    assert [fault.pointer for fault in [*empty.faults(), *ragged.faults()]] == ["/maximum", "/step"]
