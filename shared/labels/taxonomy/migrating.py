"""Brings the fields of an answer to another version of the taxonomies that they are bound to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.labels.answer import check_answer
from shared.labels.faults import Fault, listed, pointer_of, quoted
from shared.labels.spec import ProjectSpec
from shared.labels.taxonomy.model import Retirement, Taxonomy, TaxonomyBinding

TaxonomyOf = Callable[[str, int], Taxonomy]
"""(id, version) -> the taxonomy."""


@dataclass(frozen=True)
class Migrated:
    """What became of an answer's fields."""

    fields: Mapping[str, Any]
    """All fields, with other labels where theirs are out of use; as they were where there are faults."""
    faults: Sequence[Fault] = ()
    """Why they cannot be brought to the other version; pointers into the answer."""
    cause: Retirement | None = None
    """The newest of the changes that gave it other labels."""
    taxonomy: str = ""
    """The id of the taxonomy that this change was of."""


def bindings_of(spec: ProjectSpec) -> dict[str, TaxonomyBinding]:
    """Return the bindings of a spec, by field."""
    found = {name: getattr(field, "taxonomy", None) for name, field in spec.fields.items()}
    return {name: binding for name, binding in found.items() if isinstance(binding, TaxonomyBinding)}


def used_labels(spec: ProjectSpec, fields: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return which labels of which taxonomies an answer uses.

    Args:
        spec: The project version that it was made under.
        fields: Its fields in canonical form.

    Returns:
        Pairs of taxonomy id and label id.
    """
    bound = bindings_of(spec)
    return {
        (binding.name, label) for name, binding in bound.items() if name in fields for label in _labels_in(fields[name])
    }


def migrate(before: ProjectSpec, after: ProjectSpec, fields: Mapping[str, Any], taxonomy_of: TaxonomyOf) -> Migrated:
    """Give an answer the labels that a newer project version has in the place of its own.

    Args:
        before: The project version that the answer was made under.
        after: The newer project version.
        fields: The answer's fields in canonical form.
        taxonomy_of: Finds the taxonomies that ``after`` is bound to.

    Returns:
        The fields as they fit ``after``, or why they do not: a label was split without saying which part takes its
        place, or the project has changed otherwise. Fields that became required meanwhile are not missed. Nothing is
        changed (and there are no faults) where no label is out of use.
    """
    changed: dict[str, Any] = {}
    faults: list[Fault] = []
    causes: list[tuple[Retirement, str]] = []
    for name, taxonomy, binding in _bound_alike(before, after, taxonomy_of):
        if name not in fields:
            continue
        used = set(_labels_in(fields[name]))
        faults += _undecided_faults(name, used, taxonomy)
        replaced = {label: taxonomy.replacements[label] for label in used if label in taxonomy.replacements}
        if replaced:
            changed[name] = _relabeled(fields[name], replaced)
            causes += [(cause, binding.name) for label in replaced for cause in _causes(label, taxonomy)]
    if not changed or faults:
        return Migrated(fields, faults)
    checked = check_answer(after, {}, {**fields, **changed})
    wrong = [fault for fault in checked.faults if fault.code != "missing-field"]
    if wrong:
        return Migrated(fields, wrong)
    newest, name = max(causes, key=lambda cause: cause[0].version)
    fitting = {name: checked.fields[name] if name in changed else value for name, value in fields.items()}
    return Migrated(fitting, (), newest, name)


def renewed(spec: ProjectSpec, fields: Mapping[str, Any], taxonomy_of: TaxonomyOf) -> dict[str, Any]:
    """Give fields the labels that took the place of theirs, without looking at anything else.

    Args:
        spec: The project version whose taxonomies are meant.
        fields: Fields that may hold older labels, such as a prediction's.
        taxonomy_of: Finds the taxonomies that ``spec`` is bound to.
    """
    found = dict(fields)
    for name, binding in bindings_of(spec).items():
        if name in found and binding.version is not None:
            replacements = taxonomy_of(binding.name, binding.version).replacements
            if any(label in replacements for label in _labels_in(found[name])):
                found[name] = _relabeled(found[name], replacements)
    return found


def _bound_alike(
    before: ProjectSpec, after: ProjectSpec, taxonomy_of: TaxonomyOf
) -> Iterator[tuple[str, Taxonomy, TaxonomyBinding]]:
    later = bindings_of(after)
    for name, binding in bindings_of(before).items():
        other = later.get(name)
        if other is not None and other.name == binding.name and other.version is not None:
            yield name, taxonomy_of(other.name, other.version), other


def _undecided_faults(name: str, used: set[str], taxonomy: Taxonomy) -> list[Fault]:
    faults = []
    for label in sorted(used & taxonomy.by_id.keys()):
        end = taxonomy.by_id[taxonomy.ends_at(label)]
        if end.id in taxonomy.undecided and end.retired is not None:
            parts = listed(end.retired.into)
            message = (
                f"{quoted(end.id)} was split into {parts}, and nothing says which is meant; label the sample anew."
            )
            faults.append(Fault(pointer=pointer_of(("fields", name)), code="to-relabel", message=message))
    return faults


def _causes(label: str, taxonomy: Taxonomy) -> Iterator[Retirement]:
    retired = taxonomy.by_id[label].retired
    while retired is not None and retired.use is not None:
        yield retired
        retired = taxonomy.by_id[retired.use].retired


def _labels_in(value: Any) -> Iterator[str]:
    """Yield the labels of a value: a choice, a multiple choice, or a list of labeled items."""
    for part in value if isinstance(value, list) else [value]:
        label = part.get("label") if isinstance(part, Mapping) else part
        if isinstance(label, str):
            yield label


def _relabeled(value: Any, replaced: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_relabeled(part, replaced) for part in value]
    if isinstance(value, Mapping):
        return {**value, "label": replaced.get(value["label"], value["label"])}
    return replaced.get(value, value)
