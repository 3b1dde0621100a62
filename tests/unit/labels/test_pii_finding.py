"""What of a text is taken for personal data, and how often that errs."""

from __future__ import annotations

import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.pii.finding import find
from shared.labels.pii.model import PII_KINDS, Effort, UndecidableError
from tests.unit.labels.pii_examples import examples

HOSTILE = {
    "one number": "1" * 1_000_000,
    "many numbers": "12 " * 300_000,
    "signs": "+1-" * 300_000,
    "brackets": "(" * 1_000_000 + "1",
    "at signs": "a@" * 500_000,
    "long names": ("a" * 63 + "@") * 15_000,
    "long domains": "a@" + "a." * 500_000,
    "accounts": "AB12 " * 200_000,
    "colons": "1:" * 500_000,
    "groups": ("a:b:" * 10 + " ") * 20_000,
    "dots": "1." * 500_000,
    "dates": "2026-11-26 " * 90_000,
    "other digits": "١٢٣ " * 250_000,
    "invisible": "1\u200b" * 500_000,
}


def found_in(text: str, *regions: str) -> set[tuple[str, str]]:
    return {(kind, text[start:end]) for kind, start, end in find(text, Effort(), regions=regions)}


def test_the_search_errs_as_rarely_as_the_guide_says():
    right, missed, wrong = Counter[str](), Counter[str](), Counter[str]()
    for example in examples():
        found = found_in(example.text, *example.regions)
        right.update(kind for kind, _ in found & example.wanted)
        missed.update(kind for kind, _ in example.wanted - found)
        wrong.update(kind for kind, _ in found - example.wanted)

    assert len(examples()) == 88
    assert right == {"email": 12, "phone": 18, "card": 4, "iban": 7, "ip": 2, "national-id": 23}
    assert missed == {"phone": 1, "card": 1, "ip": 1, "national-id": 1}
    assert wrong == {"national-id": 1}


INVISIBLE = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u200e", "\ufe0f", "\u2060\u200b")


@pytest.mark.parametrize("hidden", INVISIBLE, ids=ascii)
def test_invisible_characters_between_all_others_hide_nothing(hidden: str):
    for example in examples():
        found = found_in(hidden.join(example.text), *example.regions)

        assert found_in(example.text, *example.regions) <= {(kind, each.replace(hidden, "")) for kind, each in found}
        assert all(each.strip(hidden) == each for _, each in found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("an\u200bna@exam\u00adple.org\ufeff!", {("email", "an\u200bna@exam\u00adple.org")}),
        ("\u202a+49 170\u200b 1234567\u202c", {("phone", "+49 170\u200b 1234567")}),
        ("Ruf\u200b+49 170 1234567\u200ban", {("phone", "+49 170 1234567")}),
        ("me\u200banna@example.org\u200bor", {("email", "me\u200banna@example.org\u200bor")}),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645 \u06f1\u06f2:\u06f3\u06f0", set()),
        ("👩\u200d🚀 4111 1111 \u00ad1111 1111", {("card", "4111 1111 \u00ad1111 1111")}),
    ],
)
def test_what_is_found_is_told_by_where_it_stands_in_the_text_as_it_was_sent(text: str, found: set[tuple[str, str]]):
    assert found_in(text) == found


def test_only_the_kinds_that_are_asked_for_are_found():
    text = "anna@example.org, +49 170 1234567, 4111 1111 1111 1111"

    assert {kind for kind, *_ in find(text, Effort())} == {"email", "phone", "card"}
    assert [kind for kind, *_ in find(text, Effort(), kinds=("card",))] == ["card"]


def test_plain_identity_numbers_are_found_only_where_their_region_is_named():
    assert found_in("36574261809") == set()
    assert found_in("36574261809", "DE") == {("national-id", "36574261809")}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_text_made_to_take_long_is_looked_through_or_given_up_in_seconds(text: str):
    started = time.process_time()
    try:
        find(text, Effort(), regions=("DE", "US", "FR", "GB", "IN"))
    except UndecidableError as error:
        assert "split the sample" in str(error)
    assert time.process_time() - started < 10


def test_what_lies_beyond_the_effort_is_never_passed_over_in_silence():
    text = "Tables of numbers: " + "1234567890 " * 3000 + "anna@example.org"

    with pytest.raises(UndecidableError):
        find(text, Effort())


@settings(deadline=None)
@given(st.text(alphabet="a1@.: +-(49)é٣０８漢\n\u200b\u00ad", max_size=60))
def test_finds_are_in_order_within_the_text_and_do_not_overlap(text: str):
    found = find(text, Effort(), regions=("DE",))

    ends = [0, *(end for _, _, end in found)]
    assert all(
        kind in PII_KINDS and before <= start < end <= len(text)
        for before, (kind, start, end) in zip(ends, found, strict=False)
    )
