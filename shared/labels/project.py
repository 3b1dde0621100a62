"""Checks a project's spec as a whole, and tells everything that is wrong with it at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from shared.labels.canonical import canonical_json
from shared.labels.faults import MAX_FAULTS, Fault, bounded, explain, pointer_of, quoted, suggestion
from shared.labels.guidelines import AnyGuideline, Guideline
from shared.labels.json_values import check_json
from shared.labels.kinds import KINDS, FieldOptions, FieldSpec
from shared.labels.objective import OUTPUTS, AnyModality, AnyRelation, Gate, ModalityNeed, Objective, Relation
from shared.labels.policies import AssignmentPolicy, Policy, QualityPolicy, Sla, Workflow
from shared.labels.rule import Rule
from shared.labels.spec import AssetSpec, ProjectSpec
from shared.labels.spec_checks import cross_faults, cross_warnings, own_faults
from shared.labels.spec_parts import Parts
from shared.labels.spec_text import MAX_NODES, MAX_SPEC_BYTES, SpecSyntaxError, parse_spec_text
from shared.labels.values import Frozen

__all__ = [
    "AssetSpec",
    "AssignmentPolicy",
    "FieldSpec",
    "Gate",
    "Objective",
    "ProjectSpec",
    "QualityPolicy",
    "Rule",
    "Sla",
    "SpecCheck",
    "SpecSyntaxError",
    "Workflow",
    "check_spec",
    "parse_spec_text",
]

Location = tuple[int | str, ...]
T = TypeVar("T")

_FIELD: TypeAdapter[FieldOptions] = TypeAdapter(FieldSpec)
_ASSET = TypeAdapter(AssetSpec)
_RULE = TypeAdapter(Rule)
_GUIDELINE: TypeAdapter[Guideline] = TypeAdapter(AnyGuideline)
_OBJECTIVE = TypeAdapter(Objective)
_MODALITY: TypeAdapter[ModalityNeed] = TypeAdapter(AnyModality)
_RELATION: TypeAdapter[Relation] = TypeAdapter(AnyRelation)
_GATE = TypeAdapter(Gate)


@dataclass(frozen=True)
class SpecCheck:
    """What a check of a spec found."""

    spec: ProjectSpec | None
    """The spec, when it has no faults."""
    faults: Sequence[Fault] = ()
    """All that must be mended before it can be published; pointers into the spec."""
    warnings: Sequence[Fault] = ()
    """What may be meant, but is worth a second look."""


def check_spec(raw: object) -> SpecCheck:
    """Check a project's spec: its shape, then whether its parts fit together.

    Args:
        raw: JSON values, such as ``parse_spec_text`` gives.

    Returns:
        The spec, or every fault of it: parts of sound shape are checked against each other even when other parts are
        not sound, so that one round of mending is enough.
    """
    if not isinstance(raw, dict):
        message = f"A spec is an object with title, objective, assets and fields, not {quoted(raw)}."
        return SpecCheck(None, (Fault(pointer="", code="wrong-type", message=message),))
    kept = check_json(raw, most=MAX_NODES)
    if kept.faults:
        return SpecCheck(None, bounded(kept.faults))
    if len(canonical_json(kept.value)) > MAX_SPEC_BYTES:
        message = f"The spec is larger than {MAX_SPEC_BYTES} bytes; split the project."
        return SpecCheck(None, (Fault(pointer="", code="too-long", message=message),))
    faults: list[Fault] = []
    spec: ProjectSpec | None = None
    try:
        spec = ProjectSpec.model_validate(kept.value)
    except ValidationError as error:
        faults.extend(_shape_fault(detail, kept.value) for detail in error.errors(include_url=False)[: MAX_FAULTS + 1])
    parts = _parts_of(kept.value)
    faults.extend(own_faults(parts))
    faults.extend(cross_faults(parts))
    return SpecCheck(None if faults else spec, bounded(faults), cross_warnings(parts))


def _parts_of(raw: Mapping[str, Any]) -> Parts:
    """Read each part on its own, and leave out those that are not sound: their faults are told already."""
    objective, rules = _object(raw.get("objective")), _list(raw.get("rules"))
    assets, fields, guidelines = (_object(raw.get(name)) for name in ("assets", "fields", "guidelines"))
    output = objective.get("output")
    return Parts(
        objective=_read(_OBJECTIVE, objective),
        output=output if output in OUTPUTS else None,
        modalities=_read_list(_MODALITY, _list(objective.get("modalities"))),
        relations=_read_list(_RELATION, _list(objective.get("relations"))),
        gates=_read_list(_GATE, _list(objective.get("gates"))),
        assets=_read_each(_ASSET, assets),
        fields=_read_each(_FIELD, fields),
        rules=_read_list(_RULE, rules),
        rule_count=len(rules),
        policies={
            place: policy
            for name, model in ProjectSpec.policies().items()
            for place, policy in _read_policy(name, model, raw.get(name, {}))
        },
        guidelines=_read_each(_GUIDELINE, guidelines),
        guideline_names=frozenset(guidelines),
        asset_names=frozenset(assets),
        field_names=frozenset(fields),
    )


def _object(raw: object) -> Mapping[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _read_policy(place: str, model: type[Policy], raw: object) -> Iterator[tuple[str, Policy]]:
    """Read a policy; of one that is not sound, the policies within it that are."""
    policy = _read(TypeAdapter(model), raw)
    if policy is not None:
        yield place, policy
        return
    within = _object(raw)
    for name, field in model.model_fields.items():
        part = _model_in(field.annotation)
        if part is not None and issubclass(part, Policy) and name in within:
            yield from _read_policy(f"{place}/{name}", part, within[name])


def _list(raw: object) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _read_each(adapter: TypeAdapter[T], raw: Mapping[str, Any]) -> Mapping[str, T]:
    return {name: part for name, given in raw.items() if (part := _read(adapter, given)) is not None}


def _read_list(adapter: TypeAdapter[T], raw: Sequence[Any]) -> Mapping[int, T]:
    return {position: part for position, given in enumerate(raw) if (part := _read(adapter, given)) is not None}


def _read(adapter: TypeAdapter[T], raw: object) -> T | None:
    try:
        return adapter.validate_python(raw)
    except ValidationError:
        return None


def _shape_fault(detail: ErrorDetails, raw: object) -> Fault:
    location = tuple(part for part in detail["loc"] if part != "[key]")
    shown = _as_given(_without_tags(location), raw)
    pointer = pointer_of(shown)
    if detail["type"] in {"union_tag_invalid", "union_tag_not_found"} and location[:1] == ("fields",):
        given = detail.get("ctx", {}).get("tag")
        if given is None:
            message = f"kind is missing; add one of: {', '.join(KINDS)}."
            return Fault(pointer=f"{pointer}/kind", code="missing", message=message)
        message = f"{quoted(given)} is not a kind; {suggestion(given, KINDS)}"
        return Fault(pointer=f"{pointer}/kind", code="unknown-kind", message=message)
    code, message = explain({**detail, "loc": shown}, _known_keys(location[:-1]))
    return Fault(pointer=pointer, code=code, message=message)


def _without_tags(location: Location) -> Location:
    """Drop what pydantic adds to a location for the member of a union: the kind, an attribute's or a message's form."""
    if location[:1] == ("rules",) and location[2:3] == ("message",):
        return location[:3] + location[4:]
    if location[:1] != ("fields",) or len(location) < 3:
        return location
    kind_dropped = location[:2] + location[3:]
    if len(location) > 5 and location[3] == "attributes":
        return kind_dropped[:4] + kind_dropped[5:]
    return kind_dropped


def _as_given(location: Location, raw: object) -> Location:
    """Cut a location where the spec gives a short form, a text in place of an object."""
    for depth, part in enumerate(location):
        if not isinstance(raw, dict | list):
            return location[:depth]
        try:
            raw = raw[part]  # type: ignore[index]
        except (LookupError, TypeError):
            return location
    return location


def _known_keys(location: Location) -> Sequence[str]:
    model = _model_at(location)
    if model is None:
        return ()
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_at(location: Location) -> type[Frozen] | None:
    """Return the model that an unknown key was given to; None where what is there is no model."""
    if location[:1] == ("fields",):
        return KINDS[str(location[2])].options if len(location) == 3 else None
    model: type[Frozen] | None = ProjectSpec
    for part in location:
        if model is not None and part in model.model_fields:
            model = _model_in(model.model_fields[str(part)].annotation)
        # Else the part is an index or a name within a list or an object of this model.
    return model


def _model_in(annotation: object) -> type[Frozen] | None:
    """Find the one model that a field's type holds, itself or in a list, an object or beside None."""
    if isinstance(annotation, type) and issubclass(annotation, Frozen):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
