"""Reads a taxonomy that comes from outside, and tells everything that is wrong with it at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.labels.canonical import canonical_json
from shared.labels.faults import MAX_FAULTS, Fault, bounded, explain, pointer_of, quoted, suggestion
from shared.labels.json_values import check_json
from shared.labels.spec_text import MAX_NODES, MAX_SPEC_BYTES
from shared.labels.taxonomy.model import MAX_DEPTH, MAX_TAXONOMY_LABELS, LabelText, Taxonomy, TaxonomyLabel

_LABEL = TypeAdapter(TaxonomyLabel)
_HEAD_KEYS = tuple(name for name in Taxonomy.model_fields if name != "labels")
_LABEL_KEYS = (*TaxonomyLabel.model_fields, "children")


@dataclass(frozen=True)
class TaxonomyCheck:
    """What a check of a taxonomy found."""

    taxonomy: Taxonomy | None
    """The taxonomy, when it has no faults."""
    faults: Sequence[Fault] = ()
    """All that must be mended; pointers into what was checked."""


@dataclass(frozen=True)
class _Placed:
    """A label as it was given, and where."""

    pointer: str
    raw: Any
    parent: str | None
    depth: int


def check_taxonomy(raw: object) -> TaxonomyCheck:
    """Check a taxonomy: each label's shape, then the tree that they make.

    Args:
        raw: JSON values. Labels stand below others as their ``children``, or name the label above as ``parent``.

    Returns:
        The taxonomy with its labels in the order given, each before its children, or every fault of it.
    """
    if not isinstance(raw, dict):
        message = f"A taxonomy is an object with title and labels, not {quoted(raw)}."
        return TaxonomyCheck(None, (Fault(pointer="", code="wrong-type", message=message),))
    kept = check_json(raw, most=MAX_NODES)
    if kept.faults:
        return TaxonomyCheck(None, bounded(kept.faults))
    if len(canonical_json(kept.value)) > MAX_SPEC_BYTES:
        message = f"The taxonomy is larger than {MAX_SPEC_BYTES} bytes; split it into several."
        return TaxonomyCheck(None, (Fault(pointer="", code="too-long", message=message),))
    placed, faults = _placed(kept.value.get("labels"))
    labels = [(place, label) for place in placed if (label := _read(place, faults)) is not None]
    head = _head(kept.value, faults)
    faults.extend(_tree_faults(labels, placed))
    if faults or head is None:
        return TaxonomyCheck(None, bounded(faults))
    return TaxonomyCheck(Taxonomy(**head, labels=tuple(label for _, label in labels)))


def clash(labels: Mapping[str, TaxonomyLabel], label: TaxonomyLabel, language: str) -> tuple[str, str] | None:
    """Find a label in use beside another that people cannot tell from it by its name.

    Args:
        labels: All labels by id.
        label: The label in question.
        language: The taxonomy's language.

    Returns:
        The other's id and the name that they share; None when there is no such label.
    """
    mine = _names(label, language)
    for other in labels.values():
        if other.id != label.id and other.retired is None and other.parent == label.parent:
            theirs = _names(other, language)
            for tag, name in mine.items():
                if tag in theirs and name.casefold() == theirs[tag].casefold():
                    return other.id, name
    return None


def _names(label: TaxonomyLabel, language: str) -> dict[str, str]:
    return {language: label.name} | {tag: text.name for tag, text in label.translations.items()}


def _placed(raw: object) -> tuple[list[_Placed], list[Fault]]:
    """Put nested labels into one list, in the order of reading."""
    if not isinstance(raw, list) or not raw:
        message = "labels is missing or empty; list the labels, each with id and name."
        return [], [Fault(pointer="/labels", code="missing", message=message)]
    found: list[_Placed] = []
    faults: list[Fault] = []
    for place in _walk(raw, "/labels", None, 1, faults):
        if len(found) == MAX_TAXONOMY_LABELS:
            message = f"A taxonomy has at most {MAX_TAXONOMY_LABELS} labels; split it into several."
            return found, [*faults, Fault(pointer="/labels", code="too-many", message=message)]
        found.append(place)
    return found, faults


def _walk(raw: list[Any], pointer: str, parent: str | None, depth: int, faults: list[Fault]) -> Iterator[_Placed]:
    for position, given in enumerate(raw):
        here = f"{pointer}/{position}"
        yield _Placed(here, given, parent, depth)
        children = given.get("children") if isinstance(given, dict) else None
        if children is None:
            continue
        if not isinstance(children, list):
            message = f"children must be a list of labels, not {quoted(children)}."
            faults.append(Fault(pointer=f"{here}/children", code="wrong-type", message=message))
        elif depth < MAX_DEPTH:
            above = given.get("id")
            yield from _walk(children, f"{here}/children", above if isinstance(above, str) else None, depth + 1, faults)
        else:
            faults.append(_too_deep(f"{here}/children"))


def _read(place: _Placed, faults: list[Fault]) -> TaxonomyLabel | None:
    if not isinstance(place.raw, dict):
        message = f"A label is an object with id and name, not {quoted(place.raw)}."
        faults.append(Fault(pointer=place.pointer, code="wrong-type", message=message))
        return None
    given = {key: value for key, value in place.raw.items() if key != "children"}
    try:
        label = _LABEL.validate_python(given)
    except ValidationError as error:
        faults.extend(_shape_faults(error, place.pointer))
        return None
    if place.parent is None:
        return label
    if label.parent not in {None, place.parent}:
        message = f"It stands below {quoted(place.parent)} and names another parent; drop one of the two."
        faults.append(Fault(pointer=f"{place.pointer}/parent", code="contradiction", message=message))
        return None
    return label.model_copy(update={"parent": place.parent})


def _shape_faults(error: ValidationError, pointer: str) -> Iterator[Fault]:
    for detail in error.errors(include_url=False)[: MAX_FAULTS + 1]:
        location = [part for part in detail["loc"] if part != "[key]"]
        known = LabelText.model_fields if location[:1] == ["translations"] else _LABEL_KEYS
        code, message = explain({**detail, "loc": tuple(location)}, tuple(known))
        yield Fault(pointer=pointer + pointer_of(location), code=code, message=message)


def _head(raw: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any] | None:
    head = {key: value for key, value in raw.items() if key != "labels"}
    stand_in = TaxonomyLabel(id="x", name="x")
    try:
        Taxonomy.model_validate({**head, "labels": (stand_in,)})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            code, message = explain(detail, (*_HEAD_KEYS, "labels"))
            faults.append(Fault(pointer=pointer_of(detail["loc"]), code=code, message=message))
        return None
    return head


def _tree_faults(labels: Sequence[tuple[_Placed, TaxonomyLabel]], placed: Sequence[_Placed]) -> list[Fault]:
    """Find where sound labels make no tree; the ids of unsound ones count as known, so that one fault is told once."""
    named = {str(place.raw.get("id")) for place in placed if isinstance(place.raw, dict)}
    known: dict[str, TaxonomyLabel] = {}
    faults: list[Fault] = []
    for place, label in labels:
        if label.id in known:
            message = f"{quoted(label.id)} is the id of two labels; choose another id for one."
            faults.append(Fault(pointer=f"{place.pointer}/id", code="duplicate", message=message))
        else:
            known[label.id] = label
    faults.extend(_reference_faults(labels, named))
    names: dict[tuple[str | None, str, str], str] = {}
    for place, label in labels:
        if (loop := _loop_or_depth(known, label)) is not None:
            faults.append(loop(f"{place.pointer}/parent"))
        faults.extend(_name_faults(place, label, names))
        parent = known.get(label.parent) if label.parent is not None else None
        if parent is not None and parent.retired is not None and label.retired is None:
            message = f"{quoted(parent.id)} is out of use and cannot have {quoted(label.id)} below it; move it."
            faults.append(Fault(pointer=f"{place.pointer}/parent", code="retired-label", message=message))
    return faults


def _reference_faults(labels: Sequence[tuple[_Placed, TaxonomyLabel]], named: set[str]) -> Iterator[Fault]:
    for place, label in labels:
        mentioned = [("parent", label.parent)]
        if label.retired is not None:
            mentioned += [("retired/use", label.retired.use)]
            mentioned += [(f"retired/into/{position}", each) for position, each in enumerate(label.retired.into)]
        for where, id_ in mentioned:
            if id_ is not None and id_ not in named:
                message = f"{quoted(id_)} is not a label of this taxonomy; {suggestion(id_, sorted(named))}"
                yield Fault(pointer=f"{place.pointer}/{where}", code="unknown-label", message=message)


def _name_faults(
    place: _Placed, label: TaxonomyLabel, names: dict[tuple[str | None, str, str], str]
) -> Iterator[Fault]:
    if label.retired is not None:
        return
    for tag, name in _names(label, "").items():
        other = names.setdefault((label.parent, tag, name.casefold()), label.id)
        if other != label.id:
            pointer = place.pointer + (f"/translations/{tag}" if tag else "") + "/name"
            message = f"{quoted(name)} is also the name of {quoted(other)} beside it; choose another name for one."
            yield Fault(pointer=pointer, code="duplicate-name", message=message)


def _loop_or_depth(known: Mapping[str, TaxonomyLabel], label: TaxonomyLabel) -> Any:
    """Walk up from a label, and return what makes the fault when the way has no end or too many steps."""
    seen = {label.id}
    above = label.parent
    while above is not None and above in known and len(seen) <= MAX_DEPTH:
        if above == label.id:
            return lambda pointer: Fault(
                pointer=pointer,
                code="loop",
                message=f"{quoted(label.id)} is above itself; take one label of the loop out of it.",
            )
        if above in seen:
            return None  # the loop is further up, and told there
        seen.add(above)
        above = known[above].parent
    return _too_deep if len(seen) > MAX_DEPTH else None


def _too_deep(pointer: str) -> Fault:
    return Fault(pointer=pointer, code="too-deep", message=f"Labels stand at most {MAX_DEPTH} deep; flatten the tree.")
