"""Tasks in order, of which the first that somebody may take is found without looking at those that they may not.

A B+ tree over (order, task), whose nodes hold who is barred from *everything* below them. Whoever is in that set is
led past the whole node, so that the first task for somebody who has done a hundred thousand of the first ones costs
as much as for somebody who has done none. A node whose set is empty, which is nearly every node, costs nothing to keep.

Nodes also know how many entries are below them, so that one is found by how many come before it.

Source: R. Bayer and E. McCreight, "Organization and Maintenance of Large Ordered Indexes" (1972), with a summary in
each node as in T. Cormen et al., "Introduction to Algorithms", chapter 17 (augmented trees). Nodes are given up when
they are empty, not joined when they are half so (T. Johnson and D. Shasha, "B-trees with inserts and deletes", 1993).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

FANOUT: Final = 32
"""Children a node begins to be divided at, twice over; four levels hold a million."""

Entry = tuple[int, str, str]
"""Order (lowest first), document id, key of the task."""

Barred = tuple[str, ...]
"""Who may not take a task; a tuple, for there are few of them and a set is four times as large."""


class _Node:
    __slots__ = ("barred", "children", "keys", "size")

    def __init__(self, keys: list[Entry], children: list[_Node], barred: list[Barred]) -> None:
        self.keys = keys
        """The lowest entry of each child; in a leaf the entries themselves."""
        self.children = children
        """Empty in a leaf."""
        self.barred = barred
        """Who may take nothing below each child; in a leaf who may not take each entry."""
        self.size: int = sum(child.size for child in children) if children else len(keys)
        """How many entries there are below."""


class OrderedTasks:
    """Entries in order, each with those who may not take it."""

    def __init__(self) -> None:
        self._root = _Node([], [], [])

    def __len__(self) -> int:
        return self._root.size

    def __iter__(self) -> Iterator[Entry]:
        return (entry for entry, _ in _entries(self._root))

    def put(self, entry: Entry, barred: Sequence[str]) -> None:
        """Put an entry in, or change who may not take it."""
        root = self._root
        halves, _ = _put(root, entry, tuple(barred))
        if halves is not None:
            self._root = _Node([half.keys[0] for half in halves], list(halves), [_common(half) for half in halves])

    def remove(self, entry: Entry) -> None:
        """Take an entry out.

        Raises:
            KeyError: It is not in.
        """
        _remove(self._root, entry)
        while len(self._root.children) == 1:
            self._root = self._root.children[0]

    def first(self, who: str, accepts: Callable[[Entry], bool], limit: int) -> tuple[Entry | None, int]:
        """Return the first entry from which somebody is not barred and which is accepted.

        Args:
            who: For whom.
            accepts: Asked of each entry on the way; what is true of this person at this moment, not of the entry.
            limit: How many refusals end the search.

        Returns:
            The entry, or None; and how many entries were asked about.
        """
        asked = 0
        for entry in _not_barred(self._root, who):
            asked += 1
            if accepts(entry):
                return entry, asked
            if asked >= limit:
                break
        return None, asked

    def rank(self, entry: Entry) -> int:
        """Return how many entries come before one, whether that is in or not."""
        node, before = self._root, 0
        while node.children:
            at = max(0, bisect_right(node.keys, entry) - 1)
            before += sum(child.size for child in node.children[:at])
            node = node.children[at]
        return before + bisect_left(node.keys, entry)

    def at(self, rank: int) -> Entry:
        """Return the entry that so many come before.

        Raises:
            IndexError: There are not so many.
        """
        if rank >= len(self):
            raise IndexError(rank)
        node = self._root
        while node.children:
            for child in node.children:
                if rank < child.size:
                    break
                rank -= child.size
            node = child
        return node.keys[rank]

    def theirs(self, who: str, first: Entry, count: int) -> list[Entry]:
        """Return which of some neighbours somebody is not barred from.

        Args:
            who: Somebody.
            first: The first of them.
            count: How many they are.
        """
        near = islice(_entries_from(self._root, first), count)
        return [entry for entry, barred in near if who not in barred]


def _not_barred(node: _Node, who: str) -> Iterator[Entry]:
    """Yield the entries that somebody may take, in order, past every node in which there is none."""
    if node.children:
        for child, barred in zip(node.children, node.barred, strict=True):
            if who not in barred:
                yield from _not_barred(child, who)
    else:
        for entry, barred in zip(node.keys, node.barred, strict=True):
            if who not in barred:
                yield entry


def _put(node: _Node, entry: Entry, barred: Barred) -> tuple[tuple[_Node, _Node] | None, int]:
    """Put an entry below a node; return its halves when it had to be divided, and by how many it has grown."""
    if not node.children:
        at = bisect_left(node.keys, entry)
        if at < len(node.keys) and node.keys[at] == entry:
            node.barred[at] = barred
            return None, 0
        node.keys.insert(at, entry)
        node.barred.insert(at, barred)
        node.size += 1
        return _halves(node), 1
    at = max(0, bisect_right(node.keys, entry) - 1)
    halves, grown = _put(node.children[at], entry, barred)
    _replace(node, at, halves or (node.children[at],))
    node.size += grown
    return _halves(node), grown


def _remove(node: _Node, entry: Entry) -> None:
    if not node.children:
        at = bisect_left(node.keys, entry)
        if at == len(node.keys) or node.keys[at] != entry:
            raise KeyError(entry)
        del node.keys[at], node.barred[at]
    else:
        at = max(0, bisect_right(node.keys, entry) - 1)
        _remove(node.children[at], entry)
        _replace(node, at, (node.children[at],) if node.children[at].keys else ())
    node.size -= 1


def _entries_from(node: _Node, entry: Entry) -> Iterator[tuple[Entry, Barred]]:
    """Yield the entries below a node from one on."""
    if node.children:
        at = max(0, bisect_right(node.keys, entry) - 1)
        yield from _entries_from(node.children[at], entry)
        for child in node.children[at + 1 :]:
            yield from _entries(child)
    else:
        at = bisect_left(node.keys, entry)
        yield from zip(node.keys[at:], node.barred[at:], strict=True)


def _entries(node: _Node) -> Iterator[tuple[Entry, Barred]]:
    if node.children:
        for child in node.children:
            yield from _entries(child)
    else:
        yield from zip(node.keys, node.barred, strict=True)


def _replace(node: _Node, at: int, children: Sequence[_Node]) -> None:
    node.children[at : at + 1] = children
    node.keys[at : at + 1] = [child.keys[0] for child in children]
    node.barred[at : at + 1] = [_common(child) for child in children]


def _halves(node: _Node) -> tuple[_Node, _Node] | None:
    if len(node.keys) <= 2 * FANOUT:
        return None
    low = _Node(node.keys[:FANOUT], node.children[:FANOUT], node.barred[:FANOUT])
    high = _Node(node.keys[FANOUT:], node.children[FANOUT:], node.barred[FANOUT:])
    return low, high


def _common(node: _Node) -> Barred:
    """Return who is barred from everything below a node.

    Only who is in the smallest part can be in all, and mostly the second part settles it.
    """
    smallest = min(node.barred, key=len)
    return tuple(who for who in smallest if all(who in barred for barred in node.barred)) if smallest else ()
