"""Rules across fields and assets: CEL expressions, checked when a project is published."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import cel

from shared.labels.faults import Fault, quoted, suggestion
from shared.labels.kinds import FieldOptions
from shared.labels.rule import MAX_RULE_CHARS, Rule
from shared.labels.rule_functions import FUNCTION_NAMES
from shared.labels.rule_references import ROOTS, References, field_path, references_of
from shared.labels.rule_types import fact_problems, type_problems

MAX_DEPTH = 3
"""Loops within loops."""

RESERVED_WORDS = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "package",
        "namespace",
        "null",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)
"""Source: CEL language definition, syntax: IDENT is none of the reserved words."""

_CORE_FUNCTIONS = frozenset(
    [
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "timestamp",
        "duration",
        "dyn",
        "type",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
    ]
)
_TYPES = frozenset({"int", "uint", "double", "string"})
_OPERATORS = "_!@-"  # how the library names operators: _&&_, !_, @in, -_


class RuleError(ValueError):
    """A rule cannot be run; ``faults`` says why, with pointers into the rule."""

    def __init__(self, faults: Iterable[Fault], references: References | None = None) -> None:
        self.faults = tuple(faults)
        self.references = references  # what could be read of a rule that cannot run
        super().__init__(" ".join(fault.message for fault in self.faults))


@dataclass(frozen=True)
class CompiledRule:
    """An expression ready to run, with what it needs."""

    program: cel.Program
    references: References
    functions: frozenset[str]
    """Names of ours that it calls."""


@dataclass(frozen=True)
class Known:
    """What rules of a project may look at."""

    fields: frozenset[str]
    assets: frozenset[str]
    options: Mapping[str, FieldOptions] = field(default_factory=dict)
    """Of the fields that are sound, whose members and values are checked too."""


def compile_expression(expression: str) -> CompiledRule:
    """Compile an expression of a rule, once per text.

    Args:
        expression: CEL.

    Returns:
        The program and what it takes from ``fields``, ``assets`` and ``metadata``.

    Raises:
        RuleError: The expression is no CEL, uses unknown variables or functions, does not show which fields it
            means, or nests its loops deeper than ``MAX_DEPTH``.
    """
    compiled = _compiled(expression)
    if isinstance(compiled, RuleError):
        raise compiled
    return compiled


def rule_faults(rule: Rule, known: Known) -> list[Fault]:
    """Find why a rule cannot be run in a project, or would not mean what it says.

    Args:
        rule: The rule.
        known: The project's fields and assets.

    Returns:
        Faults with pointers into the rule; none when it can run.
    """
    faults = _expression_faults("/expression", rule.expression, known)
    for position, mark in enumerate(rule.marks):
        faults += _expression_faults(f"/marks/{position}", mark, known)
    return faults


def _expression_faults(pointer: str, expression: str, known: Known) -> list[Fault]:
    compiled = _compiled(expression)
    faults = [_at(pointer, fault) for fault in compiled.faults] if isinstance(compiled, RuleError) else []
    references = compiled.references
    if references is None:
        return faults
    if not faults and not references.fields:
        message = "The rule looks at no field, so no answer could change it; use fields.<name>."
        return [Fault(pointer=pointer, code="no-field", message=message)]
    unknown = [("field", name, known.fields) for name in sorted(references.fields - known.fields)]
    unknown += [("asset", name, known.assets) for name in sorted(references.assets - known.assets)]
    problems = [
        (
            f"unknown-{what}",
            f"{quoted(name)} is not {'an' if what == 'asset' else 'a'} {what} of this project; "
            f"{suggestion(name, sorted(names))}",
        )
        for what, name, names in unknown
    ]
    problems += fact_problems(references.members)
    if field_path(expression) is None:
        problems += type_problems(expression, known.options)
    return faults + [Fault(pointer=pointer, code=code, message=message) for code, message in problems]


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> CompiledRule | RuleError:
    if len(expression) > MAX_RULE_CHARS:
        return RuleError([_fault("too-long", f"The expression is longer than {MAX_RULE_CHARS} characters.")])
    try:
        program = cel.compile(expression)
    except (ValueError, RuntimeError) as error:
        lines = str(error).splitlines()
        reason = lines[0].partition("ERROR: <input>:")[2] or lines[0]
        return RuleError([_fault("invalid-expression", f"The expression is not CEL, at line:column {reason[:300]}")])
    references, names = references_of(expression), program.references()
    called = [name for name in names["functions"] if name[0] not in _OPERATORS]
    faults = [*_variable_faults(names["variables"], references), *_function_faults(called)]
    if references.depth > MAX_DEPTH:
        message = f"Loops are nested {references.depth} deep; at most {MAX_DEPTH} are allowed, split the rule."
        faults.append(_fault("too-deep", message))
    if faults:
        return RuleError(faults, references)
    return CompiledRule(program, references, FUNCTION_NAMES & frozenset(called))


def _variable_faults(variables: Iterable[str], references: References) -> list[Fault]:
    faults = [
        _fault("unclear-reference", f"Name what you mean, as in {root}.name or has({root}.name), not {root} alone.")
        for root in sorted(set(references.unclear))
    ]
    for name in sorted(set(variables) - references.bound - ROOTS - _TYPES):
        message = (
            f"{quoted(name)} is not known; rules see fields, assets and metadata, as in fields.{name.lstrip('.')}."
        )
        faults.append(_fault("unknown-variable", message))
    return faults


def _function_faults(called: Iterable[str]) -> list[Fault]:
    known = _CORE_FUNCTIONS | FUNCTION_NAMES
    return [
        _fault("unknown-function", f"{quoted(name)} is not a function; {suggestion(name, sorted(known))}")
        for name in called
        if name not in known
    ]


def _at(pointer: str, fault: Fault) -> Fault:
    return Fault(pointer=pointer, code=fault.code, message=fault.message)


def _fault(code: str, message: str) -> Fault:
    return Fault(pointer="/expression", code=code, message=message)
