"""Joins templates of projects, each a sound spec about one modality, to the spec of a new project."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

_IMPORTANCE: Final = ("critical", "important", "helpful")
_BY_NAME: Final = ("assets", "fields", "guidelines")


class TemplateError(ValueError):
    """The templates cannot be joined; the message says why and what to do."""


class _Loader(yaml.SafeLoader):
    """Reads ``no``, ``on`` and the like as the words that they are, as the gateway does."""


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as it reads."""


def _written(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _written)


def read_template(text: str) -> dict[str, Any]:
    """Read one template.

    Raises:
        TemplateError: It is no YAML, or no project.
    """
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        raise TemplateError(f"It is not YAML: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("objective"), dict):
        raise TemplateError("It is no project; a template has title, objective, assets and fields.")
    return found


def join(templates: Mapping[str, Mapping[str, Any]], title: str, goal: str | None = None) -> dict[str, Any]:
    """Join templates to one project.

    Args:
        templates: By name, as ``read_template`` gives them; at least one.
        title: The project's title.
        goal: The objective's goal; None keeps that of the first template.

    Returns:
        A spec with the assets, fields, guidelines and rules of all, and the policies of the first.

    Raises:
        TemplateError: Two give the same name to an asset, a field or a guideline.
    """
    first, *_ = templates.values()
    joined: dict[str, Any] = {name: part for name, part in first.items() if name not in {*_BY_NAME, "rules"}}
    objective = {**first["objective"], "modalities": _modalities(list(templates.values()))}
    for name in ("relations", "gates"):
        listed = [each for template in templates.values() for each in template["objective"].get(name, [])]
        objective |= {name: listed} if listed else {}
    joined |= {"title": title, "objective": objective | ({} if goal is None else {"goal": goal})}
    for part in _BY_NAME:
        joined[part] = _united(templates, part)
    rules = [rule for template in templates.values() for rule in template.get("rules", [])]
    return joined | ({"rules": rules} if rules else {})


def write(spec: Mapping[str, Any]) -> str:
    """Write a spec as YAML that people read and edit."""
    return yaml.dump(dict(spec), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _modalities(templates: Sequence[Mapping[str, Any]]) -> list[Any]:
    found: dict[str, Any] = {}
    for template in templates:
        for given in template["objective"].get("modalities", []):
            need = {"modality": given} if isinstance(given, str) else given
            known = found.get(need["modality"])
            if known is None or _rank(need) < _rank(known):
                found[need["modality"]] = need
    return sorted(found.values(), key=_rank)


def _rank(need: Mapping[str, Any]) -> int:
    return _IMPORTANCE.index(need.get("importance", "important"))


def _united(templates: Mapping[str, Mapping[str, Any]], part: str) -> dict[str, Any]:
    united: dict[str, Any] = {}
    whose: dict[str, str] = {}
    for template, spec in templates.items():
        for name, value in spec.get(part, {}).items():
            if name in united:
                raise TemplateError(
                    f"{whose[name]} and {template} both have {name!r} under {part}; rename it in a copy of one of them."
                )
            united[name], whose[name] = value, template
    return united
