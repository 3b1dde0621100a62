"""An order of candidates with ties: preferences between responses; a pair is its two-candidate case."""

from typing import Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.faults import MAX_FAULTS, Fault, listed, quoted, suggestion
from shared.labels.kinds.kind import Checked, FieldOptions, JsonSchema, Kind, check_list, checked
from shared.labels.values import Flag, Name

MAX_CANDIDATES = 200


class RankingOptions(FieldOptions):
    """Options of a ranking."""

    kind: Literal["ranking"]
    asset: Name = Field(description="The record asset whose ``candidates`` are ranked.")
    ties: Flag = Field(True, description="Candidates may share a tier.")


def check_ranking(options: RankingOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that each candidate is ranked exactly once.

    Args:
        options: The field's options.
        facts: Facts of the record asset; its candidates are what must be ranked. Unknown candidates are not checked.
        raw: Tiers, the best first; each a list of the ids of candidates of equal rank.

    Returns:
        The tiers in their order, the ids within a tier sorted.
    """
    outer = check_list(raw, most=MAX_CANDIDATES, least=1, of="tiers")
    if outer.faults:
        return outer
    faults: list[Fault] = []
    ranked: set[str] = set()
    candidates = None if facts is None else facts.candidates
    tiers = []
    for position, tier in enumerate(outer.value):
        if len(faults) > MAX_FAULTS:  # nobody reads more, and each takes time to tell
            break
        pointer = f"/{position}"
        if not isinstance(tier, list) or not tier or len(tier) > MAX_CANDIDATES:
            message = f"Tier {position} must be a list of 1 to {MAX_CANDIDATES} candidates, not {quoted(tier)}."
            faults.append(Fault(pointer=pointer, code="wrong-type", message=message))
            continue
        if len(tier) > 1 and not options.ties:
            message = (
                f"Tier {position} holds {len(tier)} candidates; this field allows no ties, put each in its own tier."
            )
            faults.append(Fault(pointer=pointer, code="tie", message=message))
        faults.extend(_check_tier(pointer, tier, ranked, candidates))
        tiers.append(tier)
    missing = [candidate for candidate in candidates or () if candidate not in ranked]
    if missing:
        message = f"Not ranked: {listed(missing)}; every candidate needs a place."
        faults.append(Fault(pointer="", code="missing-candidate", message=message))
    return checked(None, faults) if faults else Checked([sorted(tier) for tier in tiers])


def _check_tier(pointer: str, tier: list[object], ranked: set[str], candidates: tuple[str, ...] | None) -> list[Fault]:
    """Check the ids of one tier, and add them to ``ranked``, which the tiers before have filled."""
    faults = []
    for position, candidate in enumerate(tier):
        place = f"{pointer}/{position}"
        if not isinstance(candidate, str) or not candidate or len(candidate) > 200 or not candidate.isprintable():
            message = f"A candidate is named by its id, a string, not by {quoted(candidate)}."
            faults.append(Fault(pointer=place, code="wrong-type", message=message))
            continue
        if candidates is not None and candidate not in candidates:
            message = f"{quoted(candidate)} is not a candidate; {suggestion(candidate, candidates)}"
            faults.append(Fault(pointer=place, code="unknown-candidate", message=message))
        elif candidate in ranked:
            message = f"{quoted(candidate)} is ranked twice; give it one place."
            faults.append(Fault(pointer=place, code="duplicate", message=message))
        ranked.add(candidate)
    return faults


def ranking_schema(options: RankingOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    candidate: JsonSchema = {"type": "string", "minLength": 1, "maxLength": 200}
    tier: JsonSchema = {
        "type": "array",
        "items": candidate,
        "minItems": 1,
        "maxItems": MAX_CANDIDATES if options.ties else 1,
        "uniqueItems": True,
    }
    return {"type": "array", "items": tier, "minItems": 1, "maxItems": MAX_CANDIDATES}


RANKING = Kind(
    name="ranking",
    options=RankingOptions,
    check=check_ranking,
    json_schema=ranking_schema,
    modalities=frozenset({"record"}),
)
