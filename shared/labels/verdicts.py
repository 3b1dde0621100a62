"""What a project's rules say of one answer, and which of its items they mean."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault, pointer_of, quoted
from shared.labels.rule import Rule
from shared.labels.rule_functions import RuleFunctions
from shared.labels.rule_references import field_path
from shared.labels.rules import CompiledRule, RuleError, compile_expression
from shared.labels.spec import ProjectSpec

MAX_STEPS = 100_000
"""Rounds of a rule's innermost loop, estimated before it runs; about a tenth of a second."""
MAX_STEPS_OF_ALL = 1_000_000
"""The same for all rules of a project on one answer."""
MAX_MARKED = 100
"""Places that one verdict names."""
CHARS_OF_A_STEP = 10_000
"""So many characters of a text are looked through in about the time of a round."""


@dataclass(frozen=True)
class RuleVerdict:
    """What a rule says of one answer."""

    rule_id: str
    severity: Literal["block", "warn"]
    passed: bool | None
    """None when the rule does not apply (a field or an asset it is about is absent) or could not be run."""
    message: str = ""
    """The rule's message when it is not met."""
    error: str | None = None
    """Why the rule, or what it marks, could not be run: a fault of the project, never of the annotator."""
    marks: tuple[str, ...] = ()
    """JSON pointers into the answer, as in ``/fields/entities/3``: what is at fault when the rule is not met."""
    rule_hash: str = ""
    """``Rule.digest`` of the rule as it was when it said so."""
    project_version: int = 0
    """The version of the project whose rule it was."""

    @property
    def blocks(self) -> bool:
        """Whether the answer must not be taken."""
        return self.severity == "block" and self.passed is False


def evaluate_rules(
    spec: ProjectSpec,
    facts: Mapping[str, AssetFacts],
    fields: Mapping[str, Any],
    *,
    metadata: Mapping[str, Any] | None = None,
    project_version: int = 0,
    languages: Iterable[str] = (),
) -> list[RuleVerdict]:
    """Run all rules of a project on an answer.

    Args:
        spec: A spec that ``check_spec`` found sound.
        facts: Facts of the sample's assets by slot.
        fields: The answer's fields in canonical form, as ``check_answer`` gives them.
        metadata: The sample's metadata.
        project_version: The number of the version that ``spec`` is of; verdicts name it.
        languages: BCP 47 tags that messages are wanted in, the most wanted first.

    Returns:
        One verdict per rule, in the order of the spec. A rule does not apply when a field, asset or entry of the
        metadata that it is about is absent, unless it asks for it with ``has()``.
    """
    run = _Run(spec, facts, fields, metadata or {})
    wanted = tuple(languages)
    verdicts = []
    for rule in spec.rules:
        passed, error, marks = run.judge(rule)
        verdicts.append(
            RuleVerdict(
                rule_id=rule.id,
                severity=rule.severity,
                passed=passed,
                message=rule.message_in(wanted, spec.languages) if passed is False else "",
                error=None if error is None else f"Rule {rule.id} could not be run. {error}",
                marks=marks,
                rule_hash=rule.digest,
                project_version=project_version,
            )
        )
    return verdicts


def blocking_faults(verdicts: Iterable[RuleVerdict], fields: Mapping[str, Any], raw: Mapping[str, Any]) -> list[Fault]:
    """Say what blocking rules refuse, at the places that the caller sent.

    Args:
        verdicts: What the rules said of the answer.
        fields: The answer in canonical form, into which verdicts point.
        raw: The answer as it came, whose items may stand in another order.

    Returns:
        A fault per place, with pointers into the answer as it came.
    """
    return [
        Fault(pointer=_place_in(raw, fields, mark), code=f"rule-{verdict.rule_id}", message=verdict.message)
        for verdict in verdicts
        if verdict.blocks
        for mark in (verdict.marks or ("/fields",))
    ]


@dataclass
class _Run:
    """One answer under all rules of its project; what rules see is made once for all of them."""

    spec: ProjectSpec
    facts: Mapping[str, AssetFacts]
    fields: Mapping[str, Any]
    metadata: Mapping[str, Any]
    steps: int = 0
    told: dict[str, Any] = field(default_factory=dict)
    """Fields as rules see them: their items know where they are from."""
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def judge(self, rule: Rule) -> tuple[bool | None, str | None, tuple[str, ...]]:
        """Return whether the answer passes, why that cannot be said, and what to mark."""
        try:
            compiled = compile_expression(rule.expression)
            if self._lacks(compiled):
                return None, None, ()
            passed = self._execute(compiled)
            if not isinstance(passed, bool):
                raise _RunError(f"It must give true or false, not {quoted(passed)}.")
        except (RuleError, _RunError) as error:
            return None, str(error), ()
        if passed:
            return True, None, ()
        everything = tuple(pointer_of(("fields", name)) for name in sorted(compiled.references.fields & {*self.fields}))
        try:
            marks = self._marks(rule)
        except (RuleError, _RunError) as error:
            return False, f"What it marks is not known: {error}", everything
        return False, None, marks or everything

    def _lacks(self, compiled: CompiledRule) -> bool:
        needs = compiled.references
        absent = [("fields", name) for name in needs.fields if name not in self.fields]
        absent += [("assets", name) for name in needs.assets if name not in self.facts]
        absent += [("metadata", name) for name in needs.metadata if name not in self.metadata]
        return any(reference not in needs.guarded for reference in absent)

    def _execute(self, compiled: CompiledRule) -> Any:
        needs = compiled.references
        seen = {
            "fields": {name: self._told(name) for name in needs.fields if name in self.fields},
            "assets": {name: self._asset(compiled, name) for name in needs.assets if name in self.facts},
            "metadata": {name: self.metadata[name] for name in needs.metadata if name in self.metadata},
        }
        self._spend(compiled, seen)
        functions = RuleFunctions(self.spec, self.facts, self.fields)
        try:
            given = compiled.program.execute({**seen, **functions.table(compiled.functions)})
        except KeyError as error:
            raise _RunError(f"It looks at {error}, which this answer does not have; guard it with has().") from error
        except Exception as error:  # whatever a rule does, the answer is not at fault
            raise _RunError(functions.fault or f"{type(error).__name__}: {str(error)[:300]}") from error
        if functions.fault is not None:
            raise _RunError(functions.fault)
        return given

    def _spend(self, compiled: CompiledRule, seen: Mapping[str, Mapping[str, Any]]) -> None:
        """Bound the run before it begins; the library has no limit of its own, and cannot be stopped."""
        needs, longest, chars = compiled.references, 0, 0
        for root, values in seen.items():
            for name, value in values.items():
                size = self.sizes.get(name) if root == "fields" else None
                size = size or _size(value)
                if root == "fields":
                    self.sizes[name] = size
                longest, chars = max(longest, size[0]), max(chars, size[1])
        grown = 1 + needs.sums
        rounds = (longest * grown) ** needs.depth * max(1, needs.loops)
        steps = rounds * (1 + chars * grown // CHARS_OF_A_STEP)
        if steps > MAX_STEPS:
            raise _RunError(f"It would take more than {MAX_STEPS} steps on this answer; split the rule.")
        self.steps += steps
        if self.steps > MAX_STEPS_OF_ALL:
            raise _RunError(f"The project's rules take more than {MAX_STEPS_OF_ALL} steps on this answer together.")

    def _told(self, name: str) -> Any:
        if name not in self.told:
            options = self.spec.fields.get(name)
            known = {"field": name}
            if options is not None and options.asset is not None:
                known["asset"] = options.asset
            value = self.fields[name]
            if isinstance(value, list):
                value = [{**item, **known} if isinstance(item, Mapping) else item for item in value]
            self.told[name] = value
        return self.told[name]

    def _asset(self, compiled: CompiledRule, slot: str) -> dict[str, Any]:
        """Return an asset's facts. Its text and record only where the rule names them, for they may be large."""
        members = compiled.references.members
        left_out = {fact for fact in ("text", "record") if ("assets", slot, fact) not in members}
        return {**self.facts[slot].model_dump(exclude_none=True, exclude=left_out), "asset": slot}

    def _marks(self, rule: Rule) -> tuple[str, ...]:
        marks: dict[str, None] = {}
        for expression in rule.marks:
            name = field_path(expression)
            if name is not None:
                found = [pointer_of(("fields", name))] if name in self.fields else []
            else:
                compiled = compile_expression(expression)
                found = [] if self._lacks(compiled) else self._found(self._execute(compiled), compiled)
            marks |= dict.fromkeys(found)
        return tuple(marks)[:MAX_MARKED]

    def _found(self, given: Any, compiled: CompiledRule) -> list[str]:
        """Find where the items are that an expression gave."""
        items = given if isinstance(given, list) else [given]
        pointers = []
        for item in items[:MAX_MARKED]:
            at = self._position(item, sorted(compiled.references.fields & {*self.fields}))
            if at is None:
                raise _RunError(f"marks must give items of fields, not {quoted(item)}.")
            pointers.append(at)
        return pointers

    def _position(self, item: Any, names: Sequence[str]) -> str | None:
        for name in names:
            value = self.fields[name]
            if not isinstance(value, list):
                continue
            for position, each in enumerate(value):
                same = each == item
                if isinstance(item, Mapping) and isinstance(each, Mapping):
                    same = item.get("field") == name and "id" in each and each["id"] == item.get("id")
                if same:
                    return pointer_of(("fields", name, position))
        return None


class _RunError(Exception):
    """A rule cannot be run on this answer, and why."""


def _place_in(raw: Mapping[str, Any], fields: Mapping[str, Any], pointer: str) -> str:
    """Return where what stands at ``pointer`` in the canonical fields stands in the answer as it came."""
    name, *rest = pointer.split("/")[2:] or [""]
    came = raw.get(name)
    if not rest or not isinstance(came, list):
        return pointer
    item = fields[name][int(rest[0])]
    wanted = item["id"] if isinstance(item, Mapping) else item
    for position, each in enumerate(came):
        if (each.get("id") if isinstance(each, Mapping) else each) == wanted:
            return pointer_of(("fields", name, position))
    return pointer_of(("fields", name))


def _size(value: Any) -> tuple[int, int]:
    """Find the longest list (what a loop may run over) and the longest text anywhere in a value."""
    longest, chars, pending = 1, 0, [value]
    while pending:
        current = pending.pop()
        kind = type(current)  # of JSON, which has no subclasses: asking for the abstract ones takes most of the time
        if kind is float or kind is int or kind is bool:
            continue
        if kind is str:
            chars = max(chars, len(current))
        elif kind is dict:
            longest = max(longest, len(current))
            pending.extend(current.values())
        elif kind is list or kind is tuple:
            longest = max(longest, len(current))
            pending.extend(current)
    return longest, chars
