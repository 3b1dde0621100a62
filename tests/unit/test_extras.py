"""What a service's image holds: the libraries that its code imports are those that its extra brings."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from deploy.local.environment import SERVICES

CHECKOUT = Path(__file__).parents[2]
OURS = ("services", "shared")


@pytest.mark.parametrize("service", SERVICES)
def test_the_extra_of_a_service_brings_every_library_that_it_imports(service: str):
    brought = closure_of(f"{service.replace('_', '-')}")

    missing = {
        library: places for library, places in libraries_of(service).items() if not distributions_of(library) & brought
    }

    assert missing == {}


def libraries_of(service: str) -> dict[str, set[str]]:
    """Return the libraries that a service imports, itself or through ``shared``, and the modules that do."""
    found: dict[str, set[str]] = {}
    waiting, seen = [f"services.{service}.__main__"], set[str]()
    while waiting:
        name = waiting.pop()
        path = file_of(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        for imported in imports_of(path):
            top = imported.partition(".")[0]
            if top in OURS:
                parts = imported.split(".")
                waiting += [".".join(parts[:length]) for length in range(2, len(parts) + 1)]
            elif top not in sys.stdlib_module_names:
                found.setdefault(top, set()).add(name)
    return found


def imports_of(path: Path) -> Iterator[str]:
    """Yield what a module imports when it is loaded; of ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path | None:
    place = CHECKOUT.joinpath(*module.split("."))
    candidates = (place.with_suffix(".py"), place / "__init__.py")
    return next((each for each in candidates if each.is_file()), None)


def distributions_of(library: str) -> set[str]:
    return {name.lower().replace("_", "-").replace(".", "-") for name in packages_distributions().get(library, [])}


@cache
def locked() -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in tomllib.loads((CHECKOUT / "uv.lock").read_text())["package"]}


def closure_of(extra: str) -> set[str]:
    """Return all packages that an image with this extra holds."""
    ours = locked()["labelmesh"]
    wanted = [*ours["dependencies"], *ours["optional-dependencies"][extra]]
    found: set[str] = set()
    while wanted:
        each = wanted.pop()
        package = locked()[each["name"]]
        new = {each["name"], *(f"{each['name']}[{name}]" for name in each.get("extra", []))} - found
        if not new:
            continue
        found |= new
        wanted += package.get("dependencies", [])
        for name in each.get("extra", []):
            wanted += package.get("optional-dependencies", {}).get(name, [])
    return found
