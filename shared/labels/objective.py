"""What a project's labels are for, stated so that the system can hold the project to it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from shared.labels.facts import MODALITIES, Modality
from shared.labels.faults import Fault, quoted
from shared.labels.kinds.kind import duplicates
from shared.labels.values import Frozen, Label, Name, Number, Prose

MAX_GATES = 200
MAX_RELATIONS = 100
Importance = Literal["critical", "important", "helpful"]
Output = Literal["generative", "predictive", "ranking"]
OUTPUTS: tuple[Output, ...] = ("generative", "predictive", "ranking")
_ORDER: tuple[Importance, ...] = ("critical", "important", "helpful")


class Gate(Frozen):
    """A bar that a field's quality must reach before a dataset is released: ``minimum`` or ``maximum``, as it is better."""

    field: Name
    metric: Label = Field(description="One of the metrics that the field's kind has; a check lists them.")
    minimum: Number | None = Field(None, description="The metric's lowest acceptable value.")
    maximum: Number | None = Field(None, description="The highest, of a metric that is better when lower.")


class ModalityNeed(Frozen):
    """How much a modality matters to the model."""

    modality: Modality
    importance: Importance = Field(
        "important", description="critical: a required field must be about it, or the project is refused."
    )


class Relation(Frozen):
    """A link between labels that the model shall learn, and what captures it."""

    description: Prose = Field(min_length=1, max_length=1_000)
    between: tuple[Name, ...] = Field((), max_length=50, description="The assets that it spans.")
    captured_by: tuple[Name, ...] = Field(
        (),
        max_length=50,
        description="The fields that capture it. One about the whole sample, or of kind relations, does so by itself; "
        "several that are each about an asset do together with a rule that reads them.",
    )


def _as_modality(given: Any) -> Any:
    return {"modality": given} if isinstance(given, str) else given


def _as_relation(given: Any) -> Any:
    return {"description": given} if isinstance(given, str) else given


AnyModality = Annotated[ModalityNeed, BeforeValidator(_as_modality)]
"""A modality as a spec may give it: a name alone is an important one."""
AnyRelation = Annotated[Relation, BeforeValidator(_as_relation)]
"""A relation as a spec may give it: a text alone describes one."""


class Objective(Frozen):
    """What the labels are for."""

    goal: Prose = Field(min_length=1, max_length=5_000, description="What the model shall do in the end.")
    output: Output
    modalities: tuple[AnyModality, ...] = Field(
        (),
        max_length=len(MODALITIES),
        description="The most important first; a name alone is `important`.",
        examples=[[{"modality": "text", "importance": "critical"}, "audio"]],
    )
    relations: tuple[AnyRelation, ...] = Field(
        (),
        max_length=MAX_RELATIONS,
        description="Links between labels to capture; a text alone asks for a field of kind relations.",
    )
    downstream: tuple[Literal["training", "evaluation", "inference"], ...] = Field(("training",), min_length=1)
    gates: tuple[Gate, ...] = Field((), max_length=MAX_GATES)

    def faults(self) -> list[Fault]:
        """Find what is listed twice, and modalities that are not in the order of their importance."""
        named = [need.modality for need in self.modalities]
        faults = duplicates("/modalities", named) + duplicates("/downstream", self.downstream)
        faults += duplicates("/relations", [relation.description for relation in self.relations])
        for position, (before, after) in enumerate(zip(self.modalities, self.modalities[1:], strict=False)):
            if _ORDER.index(after.importance) < _ORDER.index(before.importance):
                message = (
                    f"{after.modality} is {after.importance} and stands behind {before.modality}, which is "
                    f"{before.importance}; put the most important first."
                )
                faults.append(
                    Fault(pointer=f"/modalities/{position + 1}/importance", code="contradiction", message=message)
                )
        for position, relation in enumerate(self.relations):
            for name in ("between", "captured_by"):
                faults += duplicates(f"/relations/{position}/{name}", getattr(relation, name))
            if len(relation.between) == 1:
                message = f"A relation spans two assets at least, not {quoted(relation.between[0])} alone; add another."
                faults.append(Fault(pointer=f"/relations/{position}/between", code="too-few", message=message))
        return faults
