"""Checks an annotator's answer against a project's spec and the facts of its sample."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from shared.labels.facts import AssetFacts
from shared.labels.faults import MAX_FAULTS, Fault, bounded, listed, pointer_of, quoted, suggestion
from shared.labels.kinds import KINDS, FieldOptions
from shared.labels.spec import ProjectSpec


@dataclass(frozen=True)
class AnswerCheck:
    """What a check of an answer found."""

    fields: Mapping[str, Any]
    """The sound fields in canonical form, in the order of their names; all of them when there are no faults."""
    faults: Sequence[Fault] = ()
    """All that must be mended; pointers start with ``/fields``."""


def check_answer(spec: ProjectSpec, facts: Mapping[str, AssetFacts], fields: Mapping[str, object]) -> AnswerCheck:
    """Check an answer: its fields exist, the required ones are there, and each value fits its kind and asset.

    Args:
        spec: The project version under which the answer was made.
        facts: Facts of the sample's assets by slot. An empty mapping means that nothing is known of the sample; then
            only what needs no facts is checked.
        fields: The raw values by field name, as JSON gives them. Not changed.

    Returns:
        The canonical fields, and every fault with the field and item it is about. A field about an asset that the
        sample does not have is never required, and a value for it is a fault. What depends on other fields of the
        answer (relations, ``required_if``) is looked at after all fields, and against those that are sound.
    """
    if not isinstance(fields, Mapping):
        message = f"fields must be an object of values by field name, not {quoted(fields)}."
        return AnswerCheck({}, (Fault(pointer="/fields", code="wrong-type", message=message),))
    canonical: dict[str, Any] = {}
    faults: dict[str, list[Fault]] = {}
    for name in sorted(spec.fields):
        options = spec.fields[name]
        asset = None if options.asset is None else facts.get(options.asset)
        absent = options.asset is not None and asset is None and bool(facts)
        if name not in fields:
            if options.required and not absent:
                faults[name] = [_fault(name, "missing-field", f"{_named(name)} is required; add it.")]
        elif absent:
            message = f"{_named(name)} is about {quoted(options.asset)}, which this sample does not have; leave it out."
            faults[name] = [_fault(name, "absent-asset", message)]
        else:
            value, found = check_value(options, asset, fields[name])
            if found:
                faults[name] = _placed(name, found)
            else:
                canonical[name] = value
    for name, found in _faults_between(spec, facts, fields, canonical):
        faults.setdefault(name, []).extend(found)
    unknown = (name for name in fields if name not in spec.fields)
    told = [fault for name in sorted(faults) for fault in faults[name]]
    told.extend(
        _fault(name, "unknown-field", f"{quoted(name)} is not a field of this project; {suggestion(name, spec.fields)}")
        for name in islice(unknown, MAX_FAULTS + 1)
    )
    return AnswerCheck({name: value for name, value in canonical.items() if name not in faults}, bounded(told))


def check_value(options: FieldOptions, facts: AssetFacts | None, raw: object) -> tuple[Any, Sequence[Fault]]:
    """Check one value by its kind.

    Args:
        options: The field's options.
        facts: Facts of the asset that the field is about; None when unknown, or when it is about the whole sample.
        raw: The value as JSON gives it.

    Returns:
        The canonical value and no faults, or None and the faults, with pointers into the value.
    """
    return KINDS[options.kind].check(options, facts, raw)


def _faults_between(
    spec: ProjectSpec, facts: Mapping[str, AssetFacts], fields: Mapping[str, Any], canonical: Mapping[str, Any]
) -> Iterator[tuple[str, list[Fault]]]:
    """Find what no field shows alone: items that a field refers to and that are not there, conditions that are met.

    Args:
        spec: The project version.
        facts: Facts of the sample's assets.
        fields: The raw values by field name.
        canonical: The values that are sound in themselves, in canonical form.

    Yields:
        A field and its faults.
    """
    for name in spec.interdependent:
        options = spec.fields[name]
        check = KINDS[options.kind].check_references
        if check is not None and name in canonical:
            found = check(options, fields[name], canonical, frozenset(fields))
            if found:
                yield name, _placed(name, bounded(found))
        needed = options.required_if
        absent = options.asset is not None and options.asset not in facts and bool(facts)
        if needed is not None and name not in fields and not absent and needed.met_by(canonical):
            because = f" with {listed(map(str, needed.any_of))} in it" if needed.any_of else ""
            message = f"{_named(name)} is required in an answer to {quoted(needed.field)}{because}; add it."
            yield name, [_fault(name, "missing-field", message)]


def _placed(name: str, faults: Sequence[Fault]) -> list[Fault]:
    """Move a field's faults into the answer, and name the field in their messages."""
    return [
        Fault(pointer=f"/fields/{name}{fault.pointer}", code=fault.code, message=f"{_named(name)}: {fault.message}")
        for fault in faults
    ]


def _named(name: str) -> str:
    return f'Field "{name}"'


def _fault(name: str, code: str, message: str) -> Fault:
    return Fault(pointer=pointer_of(("fields", name)), code=code, message=message)
