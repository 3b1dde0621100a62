"""Which items are alike: few ones are compared one by one, many by arrays, and both say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.qa.domain.kinds import regions
from services.qa.domain.kinds.pairs import Pairs

Box = dict[str, Any]

boxes = st.builds(
    lambda label, x, y, width, height: {
        "label": label,
        "shape": "box",
        "x": x,
        "y": y,
        "width": width,
        "height": height,
    },
    st.sampled_from(["car", "person"]),
    *(st.integers(0, 12).map(lambda side: side / 4) for _ in range(4)),
)


def likeness(left: Sequence[Box], right: Sequence[Box], few: int) -> Pairs:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(regions, "FEW", few)
        return regions.region_likeness(left, right)


def listed(pairs: Pairs) -> list[tuple[int, int, float]]:
    return sorted(zip(pairs.rows.tolist(), pairs.columns.tolist(), pairs.scores.tolist(), strict=True))


@given(st.lists(boxes, max_size=7), st.lists(boxes, max_size=7))
def test_few_boxes_are_as_alike_one_by_one_as_all_at_once(left: list[Box], right: list[Box]):
    one_by_one, at_once = likeness(left, right, few=50), likeness(left, right, few=-1)
    assert listed(one_by_one) == listed(at_once)
    assert one_by_one.shape == at_once.shape


@given(st.lists(boxes, max_size=7), st.lists(boxes, max_size=7))
def test_a_matching_has_every_item_once_and_no_exchange_of_two_makes_it_better(left: list[Box], right: list[Box]):
    found = likeness(left, right, few=50)
    matched = listed(found.matched())
    assert len({row for row, _, _ in matched}) == len({column for _, column, _ in matched}) == len(matched)
    score = {(row, column): each for row, column, each in listed(found)}
    for row, column, each in matched:
        for other_row, other_column, other in matched:
            exchanged = score.get((row, other_column), 0.0) + score.get((other_row, column), 0.0)
            assert row == other_row or exchanged <= each + other + 1e-9


def test_an_item_alone_with_its_partner_is_matched_whatever_the_others_do():
    left = [{"label": "car", "shape": "box", "x": x, "y": 0, "width": 10, "height": 10} for x in (0, 3, 100)]
    right = [{"label": "car", "shape": "box", "x": x, "y": 0, "width": 10, "height": 10} for x in (1, 101)]
    assert [(row, column) for row, column, _ in listed(likeness(left, right, few=50).matched())] == [(0, 0), (2, 1)]
