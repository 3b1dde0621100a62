"""Changes of a taxonomy, one operation at a time, and the checks that keep every version a tree."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from shared.labels.faults import MAX_FAULTS, Fault, bounded, explain, pointer_of, quoted, suggestion
from shared.labels.json_values import check_json
from shared.labels.taxonomy.model import (
    MAX_DEPTH,
    MAX_TAXONOMY_LABELS,
    Example,
    LabelId,
    LabelText,
    Retirement,
    Taxonomy,
    TaxonomyLabel,
)
from shared.labels.taxonomy.reading import clash
from shared.labels.values import Frozen, Label, LanguageTag, Prose

MAX_OPERATIONS: Final = 1_000


class NewLabel(LabelText):
    """A label that was not there before."""

    id: LabelId
    translations: Mapping[LanguageTag, LabelText] = Field(default_factory=dict)


class Add(NewLabel):
    """Add a label."""

    op: Literal["add"]
    parent: LabelId | None = None


class Rename(Frozen):
    """Change a label's texts; its id stays. A language that is given is replaced as a whole."""

    op: Literal["rename"]
    label: LabelId
    name: Label | None = None
    definition: Annotated[Prose, Field(max_length=2_000)] | None = None
    synonyms: tuple[Label, ...] | None = Field(None, max_length=50)
    examples: tuple[Example, ...] | None = Field(None, max_length=20)
    translations: Mapping[LanguageTag, LabelText] = Field(default_factory=dict)


class Move(Frozen):
    """Put a label, and all below it, below another one."""

    op: Literal["move"]
    label: LabelId
    parent: LabelId | None = Field(description="The label to stand below; null for a root.")


class Merge(Frozen):
    """Let one label take the place of others: samples get it, and what is below them goes below it."""

    op: Literal["merge"]
    labels: tuple[LabelId, ...] = Field(min_length=1, max_length=500)
    into: LabelId


class Split(Frozen):
    """Let several new labels take the place of one. Which one a sample gets is not guessed.

    With ``use``, all samples get that one. Without, they keep the old label until they are labeled anew.
    """

    op: Literal["split"]
    label: LabelId
    into: tuple[NewLabel, ...] = Field(min_length=2, max_length=100)
    use: LabelId | None = Field(None, description="The new label that existing samples get.")


class Deprecate(Frozen):
    """Offer a label no more. With ``use``, samples get that label instead; without, they keep what they have."""

    op: Literal["deprecate"]
    label: LabelId
    use: LabelId | None = None


Operation = Annotated[Add | Rename | Move | Merge | Split | Deprecate, Field(discriminator="op")]

_OPERATION: TypeAdapter[Operation] = TypeAdapter(Operation)
_MODELS: Mapping[str, type[Frozen]] = {
    "add": Add,
    "rename": Rename,
    "move": Move,
    "merge": Merge,
    "split": Split,
    "deprecate": Deprecate,
}


@dataclass(frozen=True)
class Change:
    """What operations make of a taxonomy."""

    taxonomy: Taxonomy | None
    """The taxonomy after the change; None where there are faults."""
    faults: Sequence[Fault] = ()
    """All that is wrong; pointers into the request, ``/operations/<n>/...``."""


def read_operations(raw: object) -> tuple[list[tuple[int, Operation]], list[Fault]]:
    """Read a list of operations.

    Args:
        raw: JSON values.

    Returns:
        The sound operations with their positions, and what is wrong with the others.
    """
    if not isinstance(raw, list) or not raw:
        message = f"operations must be a list of at least one of: {', '.join(_MODELS)}."
        return [], [Fault(pointer="/operations", code="missing", message=message)]
    if len(raw) > MAX_OPERATIONS:
        message = f"There are {len(raw)} operations; at most {MAX_OPERATIONS} make one migration."
        return [], [Fault(pointer="/operations", code="too-many", message=message)]
    kept = check_json(raw)
    if kept.faults:
        return [], [each.model_copy(update={"pointer": f"/operations{each.pointer}"}) for each in kept.faults]
    found: list[tuple[int, Operation]] = []
    faults: list[Fault] = []
    for position, given in enumerate(kept.value):
        try:
            found.append((position, _OPERATION.validate_python(given)))
        except ValidationError as error:
            faults.extend(_shape_faults(error, position, given))
    return found, faults


def apply_operations(taxonomy: Taxonomy, raw: object, *, version: int, migration: str) -> Change:
    """Apply operations one after the other.

    Args:
        taxonomy: The newest version.
        raw: The operations as JSON values.
        version: The number that the changed taxonomy will have.
        migration: Who retires labels: the id of the migration.

    Returns:
        The changed taxonomy, or every fault. An operation with a fault is left out while the others are tried; what
        mentions a label that it would have added is not told as a second fault.
    """
    operations, faults = read_operations(raw)
    draft = _Draft(taxonomy, version, migration)
    sound = {position for position, _ in operations}
    for position, given in enumerate(raw if isinstance(raw, list) else []):
        if position not in sound:
            draft.doom(given)
    for position, operation in operations:
        faults.extend(
            each.model_copy(update={"pointer": f"/operations/{position}{each.pointer}"})
            for each in draft.apply(operation)
        )
    if not faults and draft.labels == dict(taxonomy.by_id):
        message = "The operations change nothing; leave out what is so already."
        faults.append(Fault(pointer="/operations", code="no-change", message=message))
    if faults:
        return Change(None, bounded(sorted(faults, key=_place)))
    return Change(taxonomy.model_copy(update={"labels": tuple(draft.labels.values())}))


@dataclass
class _Draft:
    """A taxonomy while operations are applied to it. Lives within one call of ``apply_operations``."""

    before: Taxonomy
    version: int
    migration: str
    labels: dict[str, TaxonomyLabel] = field(init=False)
    _doomed: set[str] = field(default_factory=set)
    """Ids that an operation with a fault would have added."""

    def __post_init__(self) -> None:
        self.labels = dict(self.before.by_id)

    def doom(self, given: object) -> None:
        """Remember what an operation that could not be read would have added."""
        if isinstance(given, dict):
            parts = [given, *(given["into"] if isinstance(given.get("into"), list) else [])]
            self._doomed |= {part["id"] for part in parts if isinstance(part, dict) and isinstance(part.get("id"), str)}

    def apply(self, operation: Operation) -> list[Fault]:
        """Apply an operation as a whole, or not at all."""
        kept = dict(self.labels)
        faults = _APPLY[type(operation)](self, operation)
        if faults:
            self.labels = kept
            self.doom(operation.model_dump(mode="json"))
        return [fault for fault in faults if fault.code != "doomed"]

    def add(self, operation: Add) -> list[Fault]:
        faults = self._fresh(operation.id, "/id")
        if operation.parent is not None:
            faults += self._in_use(operation.parent, "/parent")
        return faults or self._put(_new(operation, operation.parent), "")

    def rename(self, operation: Rename) -> list[Fault]:
        if faults := self._in_use(operation.label, "/label"):
            return faults
        changes = operation.model_dump(exclude={"op", "label", "translations"}, exclude_none=True)
        was = self.labels[operation.label]
        changes["translations"] = {**was.translations, **operation.translations}
        return self._put(was.model_copy(update=changes), "")

    def move(self, operation: Move) -> list[Fault]:
        faults = self._in_use(operation.label, "/label")
        if operation.parent is not None:
            faults += self._in_use(operation.parent, "/parent")
            if not faults and self._is_below(operation.parent, operation.label):
                message = f"{quoted(operation.parent)} is {quoted(operation.label)} or stands below it; choose another."
                faults.append(Fault(pointer="/parent", code="loop", message=message))
        moved = {"parent": operation.parent}
        return faults or self._put(self.labels[operation.label].model_copy(update=moved), "/parent")

    def merge(self, operation: Merge) -> list[Fault]:
        faults = self._in_use(operation.into, "/into")
        for position, merged in enumerate(operation.labels):
            pointer = f"/labels/{position}"
            faults += self._in_use(merged, pointer)
            if merged in operation.labels[:position]:
                message = f"{quoted(merged)} is listed twice; remove one."
                faults.append(Fault(pointer=pointer, code="duplicate", message=message))
            if merged in self.labels and self._is_below(operation.into, merged):
                message = f"{quoted(operation.into)} is {quoted(merged)} or stands below it; move it out first."
                faults.append(Fault(pointer=pointer, code="loop", message=message))
        for merged in [] if faults else operation.labels:
            self._retire(merged, "merge", (operation.into,), operation.into)
            for child in self._children(merged):
                moved = child.model_copy(update={"parent": operation.into})
                faults += self._put(moved, "/into") if child.retired is None else self._keep(moved)
        return faults

    def split(self, operation: Split) -> list[Fault]:
        faults = self._in_use(operation.label, "/label") + self._childless(operation.label, "/label")
        for position, part in enumerate(operation.into):
            faults += self._fresh(part.id, f"/into/{position}/id")
        ids = tuple(part.id for part in operation.into)
        if operation.use is not None and operation.use not in ids:
            message = f"{quoted(operation.use)} is none of the new labels; {suggestion(operation.use, ids)}"
            faults.append(Fault(pointer="/use", code="unknown-label", message=message))
        if faults:
            return faults
        self._retire(operation.label, "split", ids, operation.use)
        parent = self.labels[operation.label].parent
        for position, part in enumerate(operation.into):
            pointer = f"/into/{position}"
            faults += self._fresh(part.id, f"{pointer}/id") or self._put(_new(part, parent), pointer)
        return faults

    def deprecate(self, operation: Deprecate) -> list[Fault]:
        faults = self._in_use(operation.label, "/label") + self._childless(operation.label, "/label")
        if operation.use is not None:
            faults += self._in_use(operation.use, "/use")
            if operation.use == operation.label:
                message = "A label cannot be used in its own place; name another, or leave `use` out."
                faults.append(Fault(pointer="/use", code="loop", message=message))
        if not faults:
            into = () if operation.use is None else (operation.use,)
            self._retire(operation.label, "deprecate", into, operation.use)
        return faults

    def _in_use(self, label_id: str, pointer: str) -> list[Fault]:
        label = self.labels.get(label_id)
        if label is None and label_id in self._doomed:
            return [Fault(pointer=pointer, code="doomed", message="")]
        if label is None:
            live = [each.id for each in self.labels.values() if each.retired is None]
            message = f"{quoted(label_id)} is not a label of this taxonomy; {suggestion(label_id, live)}"
            return [Fault(pointer=pointer, code="unknown-label", message=message)]
        if label.retired is not None:
            message = f"{quoted(label_id)} is out of use since version {label.retired.version}; choose one in use."
            return [Fault(pointer=pointer, code="retired-label", message=message)]
        return []

    def _fresh(self, label_id: str, pointer: str) -> list[Fault]:
        if label_id in self.labels:
            message = f"{quoted(label_id)} is taken; an id is never used for something else, choose another."
            return [Fault(pointer=pointer, code="duplicate", message=message)]
        return []

    def _childless(self, label_id: str, pointer: str) -> list[Fault]:
        below = [child.id for child in self._children(label_id) if child.retired is None]
        if not below:
            return []
        message = f"{quoted(label_id)} has labels below it ({quoted(below[0])}); move them first."
        return [Fault(pointer=pointer, code="has-children", message=message)]

    def _put(self, label: TaxonomyLabel, pointer: str) -> list[Fault]:
        """Put a label in use into the tree, unless the tree would not be one people can read."""
        self.labels[label.id] = label
        if len(self.labels) > MAX_TAXONOMY_LABELS:
            message = f"A taxonomy has at most {MAX_TAXONOMY_LABELS} labels, those out of use included."
            return [Fault(pointer=pointer, code="too-many", message=message)]
        if (found := clash(self.labels, label, self.before.language)) is not None:
            other, name = found
            message = f"{quoted(name)} is also the name of {quoted(other)} beside it; choose another name for one."
            return [Fault(pointer=pointer or "/name", code="duplicate-name", message=message)]
        if self._depth(label.id) > MAX_DEPTH:
            message = f"Labels stand at most {MAX_DEPTH} deep; choose another place."
            return [Fault(pointer=pointer, code="too-deep", message=message)]
        return []

    def _keep(self, label: TaxonomyLabel) -> list[Fault]:
        self.labels[label.id] = label
        return []

    def _retire(self, label_id: str, by: Any, into: tuple[str, ...], use: str | None) -> None:
        retired = Retirement(by=by, into=into, use=use, version=self.version, migration=self.migration)
        self.labels[label_id] = self.labels[label_id].model_copy(update={"retired": retired})

    def _children(self, label_id: str) -> list[TaxonomyLabel]:
        return [label for label in self.labels.values() if label.parent == label_id]

    def _is_below(self, label_id: str, above: str) -> bool:
        place: str | None = label_id
        while place is not None and place != above:
            place = self.labels[place].parent if place in self.labels else None
        return place == above

    def _depth(self, label_id: str) -> int:
        """Return how deep the deepest label in use at or below this one stands."""
        above, depth = self.labels[label_id].parent, 1
        while above is not None:
            above, depth = self.labels[above].parent, depth + 1
        level = [label_id]
        while level := [child.id for each in level for child in self._children(each) if child.retired is None]:
            depth += 1
        return depth


_APPLY: Mapping[type[Frozen], Callable[[_Draft, Any], list[Fault]]] = {
    Add: _Draft.add,
    Rename: _Draft.rename,
    Move: _Draft.move,
    Merge: _Draft.merge,
    Split: _Draft.split,
    Deprecate: _Draft.deprecate,
}


def _new(label: NewLabel, parent: str | None) -> TaxonomyLabel:
    return TaxonomyLabel(**{name: getattr(label, name) for name in NewLabel.model_fields}, parent=parent)


def _shape_faults(error: ValidationError, position: int, given: object) -> Iterable[Fault]:
    name = given.get("op") if isinstance(given, dict) else None
    for detail in error.errors(include_url=False)[: MAX_FAULTS + 1]:
        pointer = f"/operations/{position}"
        if detail["type"] in {"union_tag_invalid", "union_tag_not_found"}:
            message = f"{quoted(name)} is not an operation; {suggestion(name, _MODELS)}"
            yield Fault(pointer=f"{pointer}/op", code="unknown-operation", message=message)
            continue
        location = [part for part in detail["loc"][1:] if part != "[key]"]
        known = tuple(_MODELS[str(name)].model_fields) if name in _MODELS else ()
        code, message = explain({**detail, "loc": tuple(location)}, known)
        yield Fault(pointer=pointer + pointer_of(location), code=code, message=message)


def _place(fault: Fault) -> int:
    parts = fault.pointer.split("/")
    return int(parts[2]) if len(parts) > 2 and parts[2].isdecimal() else -1
