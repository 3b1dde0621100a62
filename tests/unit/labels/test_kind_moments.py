import pytest

from shared.labels.canonical import canonical_json
from shared.labels.facts import AssetFacts
from tests.unit.labels.label_builders import a_field, a_moment, accepted, refused

TEN = AssetFacts(modality="video", duration=10.0)


def test_moments_are_sorted_by_time_and_equal_ones_have_equal_bytes():
    one = accepted(a_field("moments"), [a_moment(5, id="b"), a_moment(0.1234567, id="a")], TEN)
    other = accepted(a_field("moments"), [a_moment(0.12345671, id="a"), a_moment(5.0, id="b")], TEN)

    assert [moment["id"] for moment in one] == ["a", "b"]
    assert canonical_json(one) == canonical_json(other)


@pytest.mark.parametrize(
    ("moment", "fault"),
    [
        (a_moment(10.01), ("/0/time", "outside-asset")),
        (a_moment(-0.5), ("/0/time", "out-of-range")),
        (a_moment(float("nan")), ("/0/time", "not-finite")),
        (a_moment(float("inf")), ("/0/time", "not-finite")),
        (a_moment(10**400, id="m"), ("/0/time", "out-of-range")),
        (a_moment(1, time=True), ("/0/time", "wrong-type")),
        (a_moment(1, label="fox"), ("/0/label", "unknown-label")),
        (a_moment(1, end=2), ("/0/end", "unknown-key")),
    ],
)
def test_a_moment_that_is_wrong_is_named(moment, fault):
    assert refused(a_field("moments"), [moment], TEN) == [fault]


def test_a_moment_may_be_at_the_very_end_and_anywhere_where_no_duration_is_known():
    assert accepted(a_field("moments"), [a_moment(10.0005)], TEN)
    assert accepted(a_field("moments"), [a_moment(10**6)], AssetFacts(modality="video"))
