"""Whether a project's parts serve its objective: what is declared there and captured nowhere is a fault."""

from collections.abc import Iterator

from shared.labels.faults import Fault, listed, quoted, suggestion
from shared.labels.metrics import METRICS, metrics_of
from shared.labels.objective import Gate, ModalityNeed, Relation
from shared.labels.spec_parts import Parts

_JUDGES_CONTENT = frozenset({"text", "record", "ranking", "rating"})
"""Kinds whose value is generated content, or a verdict on it."""


def objective_faults(parts: Parts) -> list[Fault]:
    """Find what the objective asks for and no part of the project gives.

    Args:
        parts: The sound parts of a spec; what depends on parts that are not sound is not judged.

    Returns:
        Faults with pointers into the spec, each with what to add.
    """
    faults = []
    if parts.output == "ranking" and parts.all_fields_sound and not parts.of_kind("ranking"):
        message = "A ranking objective needs a field of kind ranking; add one, or choose another output."
        faults.append(Fault(pointer="/objective/output", code="objective-unmet", message=message))
    for position, need in parts.modalities.items():
        faults.extend(_modality_faults(f"/objective/modalities/{position}", need, parts))
    for position, relation in parts.relations.items():
        faults.extend(_relation_faults(f"/objective/relations/{position}", relation, parts))
    for position, gate in parts.gates.items():
        faults.extend(_gate_faults(f"/objective/gates/{position}", gate, parts))
    return faults


def objective_warnings(parts: Parts) -> list[Fault]:
    """Find what the objective states and the project serves only half.

    Args:
        parts: The sound parts of a spec.

    Returns:
        Warnings with pointers into the spec.
    """
    warnings = list(_output_warnings(parts))
    for position, need in parts.modalities.items():
        pointer = f"/objective/modalities/{position}"
        assets = parts.assets_of(need.modality)
        if not assets and need.importance != "critical":
            message = f"The objective names {need.modality}, and no asset is of this modality; add one or drop it."
            warnings.append(Fault(pointer=pointer, code="modality-without-asset", message=message))
        if assets and need.importance == "critical" and not any(parts.assets[name].required for name in assets):
            message = f"{need.modality} is critical, and a sample may come without {listed(assets)}; make one required."
            warnings.append(Fault(pointer=pointer, code="critical-but-optional", message=message))
    for position, gate in parts.gates.items():
        metric = METRICS.get(gate.metric)
        if metric is not None and not metric.measured:
            message = f"Nothing works out {gate.metric} yet, so this gate has no force; {_measured(gate, parts)}"
            warnings.append(Fault(pointer=f"/objective/gates/{position}/metric", code="without-force", message=message))
    return warnings


def _output_warnings(parts: Parts) -> Iterator[Fault]:
    if not parts.all_fields_sound or not parts.fields:
        return
    pointer = "/objective/output"
    if parts.output == "generative":
        holds = any(field.kind in _JUDGES_CONTENT or getattr(field, "text", False) for field in parts.fields.values())
        if not holds:
            message = (
                "The output is generative, and no field holds or judges generated content; add one of kind text, "
                "record, ranking or rating, or let regions or segments carry text."
            )
            yield Fault(pointer=pointer, code="objective-half-met", message=message)
    rankings = parts.of_kind("ranking")
    if parts.output == "ranking" and rankings and not any(parts.fields[name].required for name in rankings):
        message = f"The output is ranking, and {listed(rankings)} may be left out; mark one as required: true."
        yield Fault(pointer=pointer, code="objective-half-met", message=message)


def _modality_faults(pointer: str, need: ModalityNeed, parts: Parts) -> list[Fault]:
    if need.importance != "critical" or not parts.all_assets_sound:
        return []
    assets = parts.assets_of(need.modality)
    if not assets:
        message = f"{need.modality} is critical, and no asset is of this modality; add one with a required field."
        return [Fault(pointer=pointer, code="critical-unmet", message=message)]
    is_only = len(assets) == len(parts.assets)
    about = {
        name: field.required
        for name, field in parts.fields.items()
        if field.asset in assets or (field.asset is None and is_only)
    }
    if any(about.values()) or not parts.all_fields_sound:
        return []
    add = f"mark one of {listed(sorted(about))} as required: true" if about else f"add one about {listed(assets)}"
    message = f"{need.modality} is critical, and no required field is about it; {add}."
    return [Fault(pointer=pointer, code="critical-unmet", message=message)]


def _relation_faults(pointer: str, relation: Relation, parts: Parts) -> list[Fault]:
    faults = [
        Fault(
            pointer=f"{pointer}/between/{position}",
            code="unknown-asset",
            message=f"{quoted(name)} is not an asset of this project; {suggestion(name, sorted(parts.asset_names))}",
        )
        for position, name in enumerate(relation.between)
        if name not in parts.asset_names
    ]
    faults += [
        Fault(
            pointer=f"{pointer}/captured_by/{position}",
            code="unknown-field",
            message=f"{quoted(name)} is not a field of this project; {suggestion(name, sorted(parts.field_names))}",
        )
        for position, name in enumerate(relation.captured_by)
        if name not in parts.field_names
    ]
    if faults or not parts.all_fields_sound:
        return faults
    return list(_uncaptured(pointer, relation, parts))


def _uncaptured(pointer: str, relation: Relation, parts: Parts) -> Iterator[Fault]:
    """Find what is missing for a relation whose names are all known."""
    what = f"The relation {quoted(relation.description)}"
    if not relation.captured_by:
        if not parts.of_kind("relations"):
            message = (
                f"{what} is captured by no field; add a field of kind relations, or name in captured_by the fields "
                "that capture it."
            )
            yield Fault(pointer=pointer, code="relation-uncaptured", message=message)
        return
    about = {name: parts.fields[name].asset for name in relation.captured_by}
    if any(asset is None for asset in about.values()):
        return  # of kind relations, or about the whole sample: one value spans all assets
    missing = [name for name in relation.between if name not in about.values()]
    if missing:
        message = f"{what} spans {listed(missing)}, and no field of captured_by is about it; add one."
        yield Fault(pointer=f"{pointer}/captured_by", code="relation-uncaptured", message=message)
    elif len(about) > 1 and not _relates(frozenset(about), parts):
        message = (
            f"{what} is captured by {listed(about)} only beside each other; add a rule that reads them together, or a "
            "field of kind relations."
        )
        yield Fault(pointer=f"{pointer}/captured_by", code="relation-uncaptured", message=message)


def _relates(fields: frozenset[str], parts: Parts) -> bool:
    """Return whether one rule reads all the fields; a rule that is not sound may be meant to."""
    return not parts.all_rules_sound or any(fields <= read for read in parts.read_together)


def _gate_faults(pointer: str, gate: Gate, parts: Parts) -> list[Fault]:
    faults = []
    if gate.field not in parts.field_names:
        message = f"{quoted(gate.field)} is not a field of this project; {suggestion(gate.field, parts.field_names)}"
        faults.append(Fault(pointer=f"{pointer}/field", code="unknown-field", message=message))
    field = parts.fields.get(gate.field)
    known = list(METRICS) if field is None else metrics_of(field.kind)
    if gate.metric not in known:
        whose = "a metric" if field is None else f"a metric of a field of kind {field.kind}"
        message = f"{quoted(gate.metric)} is not {whose}; {suggestion(gate.metric, known)}"
        faults.append(Fault(pointer=f"{pointer}/metric", code="unknown-metric", message=message))
    elif gate.metric in METRICS:
        faults.extend(_bar_faults(pointer, gate))
    return faults


def _bar_faults(pointer: str, gate: Gate) -> Iterator[Fault]:
    metric = METRICS[gate.metric]
    wanted, other = ("maximum", "minimum") if metric.lower_is_better else ("minimum", "maximum")
    bar, stray = getattr(gate, wanted), getattr(gate, other)
    better = "lower" if metric.lower_is_better else "higher"
    if stray is not None:
        message = f"{gate.metric} is better when {better}; give {wanted} in place of {other}."
        yield Fault(pointer=f"{pointer}/{other}", code="contradiction", message=message)
    if bar is None and stray is None:
        message = f"The gate has no bar; add {wanted}, for {gate.metric} is better when {better}."
        yield Fault(pointer=f"{pointer}/{wanted}", code="missing", message=message)
    if bar is not None and (bar < metric.low or (metric.high is not None and bar > metric.high)):
        bounds = f"at least {metric.low:g}" if metric.high is None else f"from {metric.low:g} to {metric.high:g}"
        message = f"{gate.metric} is {bounds}, so {bar:g} can mean nothing."
        yield Fault(pointer=f"{pointer}/{wanted}", code="out-of-range", message=message)


def _measured(gate: Gate, parts: Parts) -> str:
    field = parts.fields.get(gate.field)
    known = list(METRICS) if field is None else metrics_of(field.kind)
    return f"measured are: {listed(name for name in known if METRICS[name].measured)}."
