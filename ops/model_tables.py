"""Tables of a model's fields in Markdown: what each is called, of which type it is, and what it means."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

_JSON_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", NoneType: "null", Any: "any JSON"}


def table(model: type[BaseModel], leaving_out: set[str]) -> str:
    """Return a table of a model's fields as JSON has them, without those that are left out."""
    meanings = _meanings(model)
    rows = []
    for name, field in model.model_fields.items():
        if name in leaving_out or field.exclude:
            continue
        needed = "" if field.is_required() else " (optional)"
        told = " ".join((field.description or meanings.get(name, "")).split()).replace("``", "`").replace("|", "\\|")
        rows.append(f"| `{field.alias or name}` | {_type(field.annotation)}{needed} | {told} |")
    return (
        f"| field | type | meaning |\n|---|---|---|\n{chr(10).join(rows)}\n"
        if rows
        else "It has no fields of its own.\n"
    )


def told(model: type[BaseModel]) -> str:
    """Return what a model's docstring says."""
    return inspect.cleandoc(model.__doc__ or "").replace("``", "`")


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings below a model's fields, inherited ones included."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if issubclass(owner, BaseModel) and owner is not BaseModel:
            body = body_of(owner)
            for node, after in pairwise(body):
                told = after.value if isinstance(after, ast.Expr) else None
                if isinstance(node, ast.AnnAssign) and isinstance(told, ast.Constant) and isinstance(told.value, str):
                    found[ast.unparse(node.target)] = told.value
    return found


@cache
def body_of(owner: type) -> list[ast.stmt]:
    """Return the statements of a class, as its source has them."""
    tree = _tree(inspect.getsourcefile(owner) or "")
    return next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner.__name__)


@cache
def _tree(source: str) -> ast.Module:
    return ast.parse(Path(source).read_text())


def _type(kind: Any) -> str:
    """Return a type as a reader of JSON knows it."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in _JSON_NAMES:
        return _JSON_NAMES[kind]
    if origin is Annotated:
        return _type(inner[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(_type(each) for each in inner)
    if origin in (list, frozenset, tuple):
        return f"list of {_type(inner[0])}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "object" if inner[1] is Any else f"{_type(inner[1])} by {_type(inner[0])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"[{kind.__name__}](#{kind.__name__.lower()})"
    if kind is ...:
        return "more"
    return "RFC 3339 time" if getattr(kind, "__name__", "") == "datetime" else str(kind)
