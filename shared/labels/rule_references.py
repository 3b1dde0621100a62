"""What a rule's expression touches, read from its text without running it.

The CEL library names variables (``fields``) but not what is taken from them (``fields.tone``). That takes tokens, not
a grammar: whatever cannot be told from the tokens alone is refused, so a rule's needs are always known.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

ROOTS = frozenset({"fields", "assets", "metadata"})
MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})

_TOKEN = re.compile(
    r"""
    (?P<string>[bB]?[rR][bB]?(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|\"[^\"\n]*\"|'[^'\n]*')
      |[bB]?(?:\"{3}(?:\\.|[\s\S])*?\"{3}|'{3}(?:\\.|[\s\S])*?'{3}|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))
    |(?P<comment>//[^\n]*)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<number>\d[\w.]*)
    |(?P<symbol>\S)
    """,
    re.VERBOSE,
)
_PLAIN_STRING = re.compile(r"""^["']([^"'\\]*)["']$""")


@dataclass(frozen=True)
class References:
    """What an expression takes from its variables, and how deep its loops are nested."""

    fields: frozenset[str]
    assets: frozenset[str]
    metadata: frozenset[str]
    members: frozenset[tuple[str, str, str]]
    """(root, name, member) of what is taken from a field, an asset or an entry of the metadata by a plain name."""
    guarded: frozenset[tuple[str, str]]
    """(root, name) that the expression asks for with ``has()``: it handles their absence itself."""
    bound: frozenset[str]
    """Names that its loops bind."""
    unclear: tuple[str, ...]
    """Roots used in a way that does not show which field or asset is meant."""
    depth: int
    """Loops within loops: 0 without any."""
    loops: int
    """Loops altogether."""
    sums: int
    """Plus signs: each may make one list or text out of two."""


def references_of(expression: str) -> References:
    """Read which fields and assets an expression touches.

    Args:
        expression: CEL that compiles.

    Returns:
        The names after ``fields.``, ``assets.`` and ``metadata.`` or in ``fields["..."]``, with the rest of what is
        needed to decide whether and at what cost the expression can run.
    """
    tokens = tokens_of(expression)
    members: set[tuple[str, str, str]] = set()
    taken: set[tuple[str, str]] = set()
    guarded: set[tuple[str, str]] = set()
    unclear: list[str] = []
    for position, token in enumerate(tokens):
        if token not in ROOTS or (position > 0 and tokens[position - 1] == "."):
            continue
        name, following = name_after(tokens, position + 1)
        if name is None:
            unclear.append(token)
            continue
        taken.add((token, name))
        member, _ = name_after(tokens, following)
        if member is not None:
            members.add((token, name, member))
        if tokens[max(0, position - 2) : position] == ["has", "("] and tokens[following : following + 1] == [")"]:
            guarded.add((token, name))
    bound, depth, loops = _loops(tokens)
    return References(
        fields=frozenset(name for root, name in taken if root == "fields"),
        assets=frozenset(name for root, name in taken if root == "assets"),
        metadata=frozenset(name for root, name in taken if root == "metadata"),
        members=frozenset(members),
        guarded=frozenset(guarded),
        bound=bound,
        unclear=tuple(unclear),
        depth=depth,
        loops=loops,
        sums=tokens.count("+"),
    )


def tokens_of(expression: str) -> list[str]:
    """Cut an expression into words, numbers, strings and single symbols; comments are left out."""
    return [found.group() for found in _TOKEN.finditer(expression) if found.lastgroup != "comment"]


def plain_string(token: str) -> str | None:
    """Return what a string token without escapes says; None for any other token."""
    found = _PLAIN_STRING.match(token)
    return None if found is None else found.group(1)


def field_path(expression: str) -> str | None:
    """Return the name of the field when the expression is that field and nothing else."""
    tokens = tokens_of(expression)
    name, following = name_after(tokens, 1) if tokens[:1] == ["fields"] else (None, 0)
    return name if following == len(tokens) else None


def name_after(tokens: Sequence[str], position: int) -> tuple[str | None, int]:
    """Read ``.name`` or ``["name"]``; returns the name and the position behind it."""
    after = tokens[position : position + 3]
    if len(after) >= 2 and after[0] == "." and after[1].isidentifier() and tokens[position + 2 : position + 3] != ["("]:
        return after[1], position + 2
    if len(after) == 3 and after[0] == "[" and after[2] == "]" and (plain := plain_string(after[1])) is not None:
        return plain, position + 3
    return None, position


def _loops(tokens: Sequence[str]) -> tuple[frozenset[str], int, int]:
    """Find the names that macros bind, how deep macros are nested, and how many there are."""
    bound: set[str] = set()
    open_brackets: list[bool] = []
    depth = deepest = count = 0
    for position, symbol in enumerate(tokens):
        if symbol in {"(", "[", "{"}:
            is_loop = symbol == "(" and position >= 2 and tokens[position - 1] in MACROS and tokens[position - 2] == "."
            if is_loop and position + 1 < len(tokens):
                bound.add(tokens[position + 1])
            open_brackets.append(is_loop)
            depth += is_loop
            count += is_loop
            deepest = max(deepest, depth)
        elif symbol in {")", "]", "}"} and open_brackets:
            depth -= open_brackets.pop()
    return frozenset(bound), deepest, count
