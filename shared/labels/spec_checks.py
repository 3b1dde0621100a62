"""Whether the parts of a spec fit together, and whether they serve what the project is for."""

from collections.abc import Iterable

from shared.labels.facts import MODALITIES
from shared.labels.faults import MAX_FAULTS, Fault, listed, pointer_of, quoted, suggestion, under
from shared.labels.field_references import field_reference_faults
from shared.labels.kinds import KINDS, FieldOptions, MomentsOptions, SegmentsOptions
from shared.labels.objective_checks import objective_faults, objective_warnings
from shared.labels.policies import AssignmentPolicy, QualityPolicy, without_force
from shared.labels.rules import RESERVED_WORDS, Known, rule_faults
from shared.labels.spec import AssetSpec
from shared.labels.spec_parts import Parts


def own_faults(parts: Parts) -> list[Fault]:
    """Find contradictions within each part.

    Args:
        parts: The sound parts of a spec.

    Returns:
        Faults with pointers into the spec; not all of them where there are more than anybody is told.
    """
    faults: list[Fault] = []
    for name, field in parts.fields.items():
        if len(faults) > MAX_FAULTS:
            return faults
        faults.extend(under(pointer_of(("fields", name)), field.faults()[: MAX_FAULTS + 1]))
    for name, asset in parts.assets.items():
        faults.extend(under(pointer_of(("assets", name)), asset.faults()))
    if parts.objective is not None:
        faults.extend(under("/objective", parts.objective.faults()))
    for name, policy in parts.policies.items():
        faults.extend(under(f"/{name}", policy.faults()))
    return faults


def cross_faults(parts: Parts) -> list[Fault]:
    """Find where parts contradict each other.

    Args:
        parts: The sound parts of a spec; names of unsound ones count as known, so that one fault is told once.

    Returns:
        Faults with pointers into the spec: fields about assets that are missing or of a modality their kind cannot
        label, an objective or a gate without its field, guidelines for nothing, rules that cannot run.
    """
    return [
        *_name_faults("/fields", parts.field_names),
        *_name_faults("/assets", parts.asset_names),
        *(fault for name, field in parts.fields.items() for fault in _asset_faults(name, field, parts)),
        *field_reference_faults(parts.fields, parts.field_names),
        *objective_faults(parts),
        *_guideline_faults(parts),
        *_rule_faults(parts),
        *_diversity_faults(parts),
    ]


def cross_warnings(parts: Parts) -> list[Fault]:
    """Find what is allowed but probably not meant.

    Args:
        parts: The sound parts of a spec.

    Returns:
        Warnings with pointers into the spec.
    """
    warnings = []
    if parts.fields and not any(field.required for field in parts.fields.values()):
        message = "No field is required, so an empty answer counts; mark what every answer needs as required: true."
        warnings.append(Fault(pointer="/fields", code="nothing-required", message=message))
    warnings.extend(objective_warnings(parts))
    unguided = [name for name, field in parts.fields.items() if not _is_guided(name, field, parts)]
    if unguided:
        message = f"No guideline covers {listed(unguided)}; add one per field or for the modality of its asset."
        warnings.append(Fault(pointer="/guidelines", code="no-guideline", message=message))
    for name, policy in parts.policies.items():
        for pointer, meaning in without_force(policy):
            message = f"This version keeps the setting, and nothing acts on it yet. It will mean: {meaning}"
            warnings.append(Fault(pointer=f"/{name}{pointer}", code="without-force", message=message))
    return warnings


def _is_guided(name: str, field: FieldOptions, parts: Parts) -> bool:
    asset = parts.assets.get(field.asset) if field.asset is not None else None
    return name in parts.guideline_names or (asset is not None and asset.modality in parts.guideline_names)


def _name_faults(pointer: str, names: Iterable[str]) -> list[Fault]:
    return [
        Fault(
            pointer=f"{pointer}/{name}",
            code="reserved-name",
            message=f"{quoted(name)} is a word of the rules' language; choose another name.",
        )
        for name in sorted(names)
        if name in RESERVED_WORDS
    ]


def _asset_faults(name: str, field: FieldOptions, parts: Parts) -> list[Fault]:
    pointer, kind = pointer_of(("fields", name, "asset")), KINDS[field.kind]
    if field.asset is None:
        return []
    if field.asset not in parts.asset_names:
        message = f"{quoted(field.asset)} is not an asset of this project; {suggestion(field.asset, parts.asset_names)}"
        return [Fault(pointer=pointer, code="unknown-asset", message=message)]
    asset = parts.assets.get(field.asset)
    if asset is None or kind.modalities is None:
        return []
    if asset.modality in kind.modalities:
        return _channel_faults(name, field, asset)
    fitting = " or ".join(sorted(kind.modalities))
    message = (
        f"{kind.name} labels {fitting}, and {quoted(field.asset)} is {asset.modality}; choose another asset or kind."
    )
    return [Fault(pointer=pointer, code="modality-mismatch", message=message)]


def _channel_faults(name: str, field: FieldOptions, asset: AssetSpec) -> list[Fault]:
    if not isinstance(field, SegmentsOptions | MomentsOptions) or not field.channels or asset.modality == "sensor":
        return []
    message = f"Only sensor series have named channels, and {quoted(field.asset)} is {asset.modality}; drop channels."
    return [Fault(pointer=pointer_of(("fields", name, "channels")), code="contradiction", message=message)]


def _guideline_faults(parts: Parts) -> list[Fault]:
    known = [*MODALITIES, *sorted(parts.field_names)]
    return [
        Fault(
            pointer=pointer_of(("guidelines", name)),
            code="unknown-guideline",
            message=f"{quoted(name)} is neither a modality nor a field; {suggestion(name, known)}",
        )
        for name in sorted(parts.guideline_names)
        if name not in known
    ]


def _rule_faults(parts: Parts) -> list[Fault]:
    faults = []
    seen: set[str] = set()
    known = Known(parts.field_names, parts.asset_names, parts.fields)
    for position, rule in parts.rules.items():
        pointer = f"/rules/{position}"
        if rule.id in seen:
            message = f"{quoted(rule.id)} names two rules; choose another id for one."
            faults.append(Fault(pointer=f"{pointer}/id", code="duplicate", message=message))
        seen.add(rule.id)
        faults.extend(under(pointer, rule_faults(rule, known)))
    return faults


def _diversity_faults(parts: Parts) -> list[Fault]:
    """Find a share of a sample's labels that is less than one label."""
    assignment, quality = parts.policies.get("assignment"), parts.policies.get("quality")
    if not isinstance(assignment, AssignmentPolicy) or not isinstance(quality, QualityPolicy):
        return []
    diversity = assignment.diversity
    if diversity is None or diversity.max_share * quality.overlap >= 1:
        return []
    message = (
        f"A share of {diversity.max_share:g} of {quality.overlap} labels is less than one label, so no {diversity.by} "
        f"could give any; raise max_share to {1 / quality.overlap:.3g} or more, or raise overlap."
    )
    return [Fault(pointer="/assignment/diversity/max_share", code="contradiction", message=message)]
