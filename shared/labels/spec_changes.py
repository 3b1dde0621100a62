"""What a new version of a project would change for labels that exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.labels.faults import listed, pointer_of
from shared.labels.kinds import FieldOptions
from shared.labels.spec import AssetSpec, ProjectSpec

Effect = Literal["loosens", "tightens", "breaks", "neutral"]
"""What labels that exist have to fear: nothing new, nothing but to be looked at, to be invalid under the new version."""

_WORDING: Final = frozenset({"title", "help"})
_LISTS: Final = {
    "options": "option",
    "labels": "label",
    "shapes": "shape",
    "languages": "language",
    "links": "type of link",
    "channels": "channel",
}
"""Options of fields that list what is allowed, and what one entry is called."""


class Difference(BaseModel):
    """One thing that differs from the newest version."""

    model_config = ConfigDict(frozen=True)

    pointer: str = Field(description="JSON pointer into the new spec, or into the newest where it was removed.")
    change: str = Field(description="Kebab-case and stable.", examples=["options-removed"])
    effect: Effect = Field(
        description="breaks: labels that exist may be invalid under the new version. tightens: new answers and samples "
        "must meet more. loosens: they may be what they could not be. neutral: neither."
    )
    message: str
    field: str | None = Field(None, description="The field whose labels it concerns.")
    affected: int | None = Field(None, description="Labels of record that the new version would not take so.")


def differences(old: ProjectSpec, new: ProjectSpec) -> list[Difference]:
    """Tell what publishing a spec would change.

    Args:
        old: The newest version's spec.
        new: The spec to publish.

    Returns:
        What differs, by place; fields first. ``affected`` is for whoever can count labels to fill in.
    """
    found = [*_field_differences(old, new), *_asset_differences(old, new), *_rule_differences(old, new)]
    return found + [_part_difference(name) for name in _PARTS if getattr(old, name) != getattr(new, name)]


def _field_differences(old: ProjectSpec, new: ProjectSpec) -> Iterator[Difference]:
    for name, options in old.fields.items():
        if name not in new.fields:
            message = "Labels keep their value; a dataset of the new version has no such field."
            yield _difference(("fields", name), "field-removed", "breaks", message, name)
        elif new.fields[name] != options:
            yield from _option_differences(name, options, new.fields[name])
    for name, options in new.fields.items():
        if name in old.fields:
            continue
        if options.required:
            message = "Every new answer needs it; labels that exist lack it."
            yield _difference(("fields", name), "required-field-added", "breaks", message, name)
        else:
            message = "New answers may have it; labels that exist lack it."
            yield _difference(("fields", name), "field-added", "loosens", message)


def _option_differences(name: str, old: FieldOptions, new: FieldOptions) -> Iterator[Difference]:
    place = ("fields", name)
    if old.kind != new.kind:
        message = f"It was of kind {old.kind} and is of kind {new.kind}; values of one are none of the other."
        yield _difference((*place, "kind"), "kind-changed", "breaks", message, name)
        return
    if old.asset != new.asset:
        message = f"It was about {old.asset or 'the whole sample'} and is about {new.asset or 'the whole sample'}."
        yield _difference((*place, "asset"), "asset-changed", "breaks", message, name)
    for option in type(new).model_fields:
        before, after = getattr(old, option), getattr(new, option, None)
        if before != after and option not in {"kind", "asset"}:
            yield from _option_difference((*place, option), option, before, after, name)


def _option_difference(place: Sequence[str], option: str, before: Any, after: Any, field: str) -> Iterator[Difference]:
    if option in _WORDING:
        yield _difference(place, "wording-changed", "neutral", "People read something else; values are the same.")
    elif option == "required":
        if after:
            message = "Every new answer needs it; labels that lack it would be incomplete."
            yield _difference(place, "made-required", "breaks", message, field)
        else:
            yield _difference(place, "made-optional", "loosens", "New answers may leave it out.")
    elif option in _LISTS and isinstance(before, tuple) and isinstance(after, tuple):
        yield from _list_differences(place, _LISTS[option], before, after, field)
    elif _is_limit(option, before, after):
        yield from _limit_difference(place, option, before, after, field)
    elif isinstance(before, bool) and isinstance(after, bool):
        effect: Effect = "breaks" if option == "multiple" or not after else "loosens"
        message = f"It was {_word(before)} and is {_word(after)}; values of one may be none of the other."
        yield _difference(place, f"{option.replace('_', '-')}-changed", effect, message, field)
    else:
        message = "It says something else; labels that exist are held against it as it is now."
        yield _difference(place, f"{option.replace('_', '-')}-changed", "breaks", message, field)


def _list_differences(
    place: Sequence[str], what: str, before: Sequence[Any], after: Sequence[Any], field: str
) -> Iterator[Difference]:
    gone, come = [each for each in before if each not in after], [each for each in after if each not in before]
    open_before, open_after = not before, not after  # an empty list of languages allows all
    if gone and not open_after:
        message = f"{_many(gone, what)} gone; values that use it would not be valid."
        yield _difference(place, f"{place[-1]}-removed", "breaks", message, field)
    if come and open_before and place[-1] == "languages":
        message = f"Only {listed(map(str, after))} may be used from now on."
        yield _difference(place, f"{place[-1]}-restricted", "breaks", message, field)
    elif come:
        message = f"{_many(come, what)} new; labels that exist were made without that choice."
        yield _difference(place, f"{place[-1]}-added", "loosens", message)
    if not gone and not come:
        yield _difference(place, f"{place[-1]}-reordered", "neutral", "The order alone differs.")
    elif gone and open_after:
        yield _difference(place, f"{place[-1]}-opened", "loosens", "Every one is allowed now.")


def _is_limit(option: str, before: Any, after: Any) -> bool:
    numbers = all(
        value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in (before, after)
    )
    return numbers and option.startswith(("min", "max"))


def _limit_difference(
    place: Sequence[str], option: str, before: Any, after: Any, field: str | None
) -> Iterator[Difference]:
    is_upper = option.startswith("max")
    was, now = (_bound(value, is_upper=is_upper) for value in (before, after))
    message = f"It was {_shown(before)} and is {_shown(after)}."
    if (now < was) == is_upper:
        more = " Values beyond it would not be valid." if field is not None else " It holds for new samples."
        effect: Effect = "breaks" if field is not None else "tightens"
        yield _difference(place, "limit-tightened", effect, message + more, field)
    else:
        yield _difference(place, "limit-loosened", "loosens", message)


def _bound(value: float | None, *, is_upper: bool) -> float:
    if value is not None:
        return value
    return float("inf") if is_upper else float("-inf")


def _asset_differences(old: ProjectSpec, new: ProjectSpec) -> Iterator[Difference]:
    for name in old.assets.keys() - new.assets.keys():
        message = "New samples have no such asset; those that have it keep it."
        yield _difference(("assets", name), "asset-removed", "tightens", message)
    for name, asset in new.assets.items():
        before = old.assets.get(name)
        if before is None:
            effect: Effect = "tightens" if asset.required else "loosens"
            needs = "need" if asset.required else "may have"
            yield _difference(("assets", name), "asset-added", effect, f"New samples {needs} it.")
        elif before != asset:
            yield from _changed_asset(name, before, asset)


def _changed_asset(name: str, old: AssetSpec, new: AssetSpec) -> Iterator[Difference]:
    for option, field in type(new).model_fields.items():
        before, after = getattr(old, option), getattr(new, option, None)
        place = ("assets", name, field.alias or option)
        if before == after:
            continue
        if option == "modality":
            message = f"It was {before} and is {after}; samples that exist stay what they are."
            yield _difference(place, "modality-changed", "tightens", message)
        elif _is_limit(option, before, after):
            yield from _limit_difference(place, option, before, after, None)
        elif option == "required":
            effect: Effect = "tightens" if after else "loosens"
            yield _difference(place, "made-required" if after else "made-optional", effect, "It holds for new samples.")
        else:
            yield _difference(place, f"{option.replace('_', '-')}-changed", "neutral", "It holds for new samples.")


def _rule_differences(old: ProjectSpec, new: ProjectSpec) -> Iterator[Difference]:
    before, after = {rule.id: rule for rule in old.rules}, {rule.id: rule for rule in new.rules}
    positions = {rule.id: position for position, rule in enumerate(new.rules)}
    for position, rule in enumerate(old.rules):
        if rule.id not in after:
            message = f"Rule {rule.id} is gone; verdicts that were given stay."
            yield _difference(("rules", position), "rule-removed", "loosens", message)
    for name, rule in after.items():
        if name not in before:
            message = f"Rule {name} is new; labels that exist were not held against it."
            yield _difference(("rules", positions[name]), "rule-added", "tightens", message)
        elif before[name] != rule:
            message = f"Rule {name} says something else; verdicts that were given are of the old one."
            yield _difference(("rules", positions[name]), "rule-changed", "tightens", message)


_PARTS: Final[Mapping[str, tuple[Effect, str]]] = {
    "objective": ("neutral", "What the labels are for has changed; labels stay as they are."),
    "languages": ("neutral", "It holds for new samples and for who is given work."),
    "guidelines": ("neutral", "Annotators are told at their next claim that the guidelines have changed."),
    "intake": ("neutral", "It holds for new samples."),
    "workflow": ("neutral", "It holds for samples that come in under the new version."),
    "assignment": ("neutral", "It holds for samples that come in under the new version."),
    "quality": ("neutral", "It holds for samples that come in under the new version."),
    "sla": ("neutral", "Hours hold for samples that come in under the new version; the rest at once."),
    "blind": ("neutral", "It holds at once, for all of the project's annotations."),
    "title": ("neutral", "People read another title."),
}


def _part_difference(name: str) -> Difference:
    effect, message = _PARTS[name]
    return _difference((name,), f"{name}-changed", effect, message)


def _difference(
    place: Iterable[str | int], change: str, effect: Effect, message: str, field: str | None = None
) -> Difference:
    return Difference(pointer=pointer_of(place), change=change, effect=effect, message=message, field=field)


def _many(names: Sequence[Any], what: str) -> str:
    shown = listed(str(name) for name in names)
    return f"The {what} {shown} is" if len(names) == 1 else f"The {what}s {shown} are"


def _word(flag: bool) -> str:
    return "true" if flag else "false"


def _shown(limit: float | None) -> str:
    return "unlimited" if limit is None else f"{limit:g}"
