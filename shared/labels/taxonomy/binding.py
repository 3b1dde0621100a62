"""Fills the labels of taxonomies into a project's spec, so that all that reads it needs the spec alone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import ValidationError

from shared.labels.faults import Fault, bounded, listed, pointer_of, quoted, suggestion
from shared.labels.kinds import KINDS
from shared.labels.project import SpecCheck, check_spec
from shared.labels.taxonomy.model import Taxonomy, TaxonomyBinding


class KnownTaxonomy(NamedTuple):
    """A version of a taxonomy, and the number of the newest."""

    number: int
    content: Taxonomy
    newest: int


class TaxonomyLookup(NamedTuple):
    """What a spec may be bound to."""

    names: Sequence[str]
    find: Callable[[str, int | None], KnownTaxonomy | None]
    """(name, version or None for the newest) -> the version, None where there is none."""


NO_TAXONOMIES = TaxonomyLookup((), lambda _name, _version: None)


@dataclass(frozen=True)
class BoundSpec:
    """A spec whose fields have their labels."""

    raw: Any
    faults: Sequence[Fault] = ()
    """Why some fields could not be bound; pointers into the spec."""
    warnings: Sequence[Fault] = ()
    unbound: frozenset[str] = frozenset()
    """Pointers of labels that are missing because their field could not be bound."""


def check_bound_spec(raw: object, known: TaxonomyLookup) -> SpecCheck:
    """Bind a spec's fields to taxonomies, then check it as ``check_spec`` does.

    Args:
        raw: JSON values of a spec; what they bind to needs no options or labels of its own.
        known: The tenant's taxonomies.

    Returns:
        The spec with version and labels of each binding filled in, or all faults of both.
    """
    bound = bind_spec(raw, known)
    found = check_spec(bound.raw)
    told = [fault for fault in found.faults if fault.pointer not in bound.unbound]
    faults = bounded([*bound.faults, *told])
    return SpecCheck(None if faults else found.spec, faults, [*bound.warnings, *found.warnings])


def bind_spec(raw: object, known: TaxonomyLookup) -> BoundSpec:
    """Fill in the version and the labels of each field that names a taxonomy.

    What is not sound in shape is left as it is, for ``check_spec`` to tell.
    """
    fields = raw.get("fields") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(fields, dict):
        return BoundSpec(raw)
    bound: dict[Any, Any] = {}
    faults: list[Fault] = []
    warnings: list[Fault] = []
    unbound: set[str] = set()
    for name, field in fields.items():
        bound[name] = field
        if not isinstance(field, dict) or field.get("taxonomy") is None:
            continue
        if (key := labels_key(field.get("kind"))) is None:
            continue
        pointer = pointer_of(("fields", name))
        done = _bind_field(field, key, pointer, known, warnings)
        if isinstance(done, dict):
            bound[name] = done
        else:
            faults.extend(done)
            unbound.add(f"{pointer}/{key}")
    return BoundSpec({**raw, "fields": bound}, faults, warnings, frozenset(unbound))


def rebind_spec(raw: Mapping[str, Any], name: str, version: int, taxonomy: Taxonomy) -> dict[str, Any]:
    """Bring a published spec to a newer version of one taxonomy; its other bindings stay.

    Args:
        raw: A spec as it was published, with its bindings' versions.
        name: The taxonomy's id.
        version: The new version's number.
        taxonomy: The new version.

    Returns:
        The spec, bound anew; it may have faults that it had not before.
    """
    fields = dict(raw["fields"])
    for field_name, field in fields.items():
        if field.get("taxonomy") is None:
            continue
        binding = TaxonomyBinding.model_validate(field["taxonomy"])
        if binding.name != name or (binding.version or 0) >= version:
            continue
        under = binding.under
        under = taxonomy.ends_at(under) if under is not None and under in taxonomy.by_id else under
        parsed = binding.model_copy(update={"under": under, "version": version})
        key = labels_key(field["kind"]) or "labels"
        fields[field_name] = {
            **field,
            "taxonomy": parsed.model_dump(mode="json"),
            key: list(_offered(parsed, taxonomy)),
        }
    return {**raw, "fields": fields}


def labels_key(kind: object) -> str | None:
    """Return the key under which a kind declares its labels, None where it takes none from taxonomies."""
    found = KINDS.get(kind) if isinstance(kind, str) else None
    if found is None or "taxonomy" not in found.options.model_fields:
        return None
    return "options" if "options" in found.options.model_fields else "labels"


def _bind_field(
    field: Mapping[str, Any], key: str, pointer: str, known: TaxonomyLookup, warnings: list[Fault]
) -> dict[str, Any] | list[Fault]:
    """Return the field with its labels, or what keeps it from having them."""
    try:
        binding = TaxonomyBinding.model_validate(field["taxonomy"])
    except ValidationError:
        return []
    found = known.find(binding.name, binding.version)
    if found is None:
        return [_unknown(binding, f"{pointer}/taxonomy", known)]
    if binding.under is not None and (fault := _under_fault(binding.under, found.content, pointer)) is not None:
        return [fault]
    offered = list(_offered(binding, found.content))
    if not offered:
        message = f"Taxonomy {quoted(binding.name)} has no labels there that can be chosen; choose another `under`."
        return [Fault(pointer=f"{pointer}/taxonomy/under", code="no-labels", message=message)]
    if key in field and field[key] != offered:
        message = f"The {key} are those of the taxonomy ({listed(offered, 3)}); leave {key} out."
        return [Fault(pointer=f"{pointer}/{key}", code="contradiction", message=message)]
    if found.number < found.newest:
        message = f"It is bound to version {found.number} of {quoted(binding.name)}; the newest is {found.newest}."
        warnings.append(Fault(pointer=f"{pointer}/taxonomy/version", code="older-version", message=message))
    return {**field, "taxonomy": {**field["taxonomy"], "version": found.number}, key: offered}


def _offered(binding: TaxonomyBinding, taxonomy: Taxonomy) -> tuple[str, ...]:
    return taxonomy.selectable(under=binding.under, leaves=binding.selectable == "leaves")


def _unknown(binding: TaxonomyBinding, pointer: str, known: TaxonomyLookup) -> Fault:
    newest = known.find(binding.name, None)
    if newest is None:
        message = f"There is no taxonomy {quoted(binding.name)}; {suggestion(binding.name, known.names)}"
        return Fault(pointer=f"{pointer}/name", code="unknown-taxonomy", message=message)
    message = f"Taxonomy {quoted(binding.name)} has no version {binding.version}; the newest is {newest.newest}."
    return Fault(pointer=f"{pointer}/version", code="unknown-version", message=message)


def _under_fault(under: str, taxonomy: Taxonomy, pointer: str) -> Fault | None:
    where = f"{pointer}/taxonomy/under"
    if under not in taxonomy.by_id:
        message = f"{quoted(under)} is not a label of the taxonomy; {suggestion(under, sorted(taxonomy.live))}"
        return Fault(pointer=where, code="unknown-label", message=message)
    if (retired := taxonomy.by_id[under].retired) is not None:
        message = f"{quoted(under)} is out of use since version {retired.version}; choose a label in use."
        return Fault(pointer=where, code="retired-label", message=message)
    return None
