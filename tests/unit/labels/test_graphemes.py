"""Spans do not cut through what a reader takes for one character."""

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.labels.answer import check_value
from shared.labels.facts import AssetFacts
from shared.labels.graphemes import LOOK_BACK, count_graphemes, splits_grapheme
from tests.unit.labels.label_builders import a_field, a_span, accepted, refused

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
PIECES = ["a", " ", "\r", "\n", "\u0301", "\u200d", "\U0001f468", "\U0001f469", "\U0001f1e9", "\U0001f1ea", "\ufe0f"]
PIECES += ["\u0915", "\u094d", "\u0937", "\u1100", "\u1161", "\u11a8", "\uac00", "\u0600", "\U0001f3fd", "日"]


def a_text(text: str) -> AssetFacts:
    return AssetFacts(modality="text", text=text, text_length=len(text))


@pytest.mark.parametrize(
    ("text", "borders"),
    [
        ("e\u0323\u0301x", [0, 3, 4]),
        (f"a{FAMILY}b", [0, 1, 6, 7]),
        ("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", [0, 2, 4]),
        ("a\r\nb", [0, 1, 3, 4]),
        ("क्षि", [0, 4]),
        ("각日本", [0, 1, 2, 3]),
    ],
)
def test_borders_are_those_of_the_unicode_standard(text: str, borders: list[int]):
    assert [offset for offset in range(len(text) + 1) if splits_grapheme(text, offset) is None] == borders


@settings(deadline=None, max_examples=300)
@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_looking_back_from_an_offset_finds_what_reading_from_the_start_finds(text: str):
    ends = {0} | {found.end() for found in regex.finditer(r"\X", text)}

    assert {offset for offset in range(len(text) + 1) if splits_grapheme(text, offset) is None} == ends


def test_endless_marks_cost_bounded_time():
    text = "e" + "\u0323" * 100_000

    assert splits_grapheme(text, 99_999) is None
    assert splits_grapheme(text, LOOK_BACK) == (0, len(text))


def test_a_span_that_splits_a_character_is_told_where_it_begins_and_ends():
    facts = a_text(f"Hi {FAMILY}!")

    assert accepted(a_field("spans"), [a_span(3, 8)], facts)
    assert refused(a_field("spans"), [a_span(4, 9), a_span(0, 6)], facts) == [
        ("/0/start", "splits-grapheme"),
        ("/1/end", "splits-grapheme"),
    ]
    _, [fault] = check_value(a_field("spans"), facts, [a_span(4, 9)])
    assert fault.message == (
        f'Item "s4-9": start 4 is inside the character "{FAMILY}", which goes from 3 to 8; use one of these.'
    )


@settings(deadline=None)
@given(
    st.text(
        alphabet="ab\r\n é\u0301\u200d👨👩🇩🇪\u0600\u1100\u1160\u11a8가각\u0915\u094d\u0937\u0903\u00ad\ufe0f🏽©\x00"
    )
)
def test_graphemes_are_counted_as_unicode_does_whatever_joins(text: str):
    assert count_graphemes(text) == len(regex.findall(r"\X", text))


def test_a_long_text_in_which_characters_join_is_counted_only_without_a_limit():
    text = "e\u0301" * 50

    assert (count_graphemes(text, most=99), count_graphemes(text)) == (None, 50)
    assert count_graphemes("é\r\n" * 50, most=99) == 100


def test_no_character_that_joins_is_overlooked():
    every = "".join(chr(point) for point in range(0x110000) if not 0xD800 <= point < 0xE000)
    joining = regex.findall(r"[^\p{GCB=Other}\p{GCB=Control}\p{GCB=CR}\p{GCB=LF}\p{GCB=LV}\p{GCB=LVT}]", every)

    assert joining
    assert all(count_graphemes(f"\u2014{each}", most=1) is None for each in joining)
