"""Where an answer comes from: what is known of it beside its fields, on every label and in every export."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.labels.spec import ProjectSpec
from shared.labels.verdicts import RuleVerdict
from shared.security import Role

Channel = Literal["client", "tool", "import", "model"]
Validation = Literal["valid", "warned", "unchecked"]

STAGES_OF_ROLE: Final[dict[Role, frozenset[str]]] = {
    "annotator": frozenset({"first_pass"}),
    "reviewer": frozenset({"peer_review", "audit"}),
    "adjudicator": frozenset({"senior_qa", "audit", "adjudication"}),
}
"""The stages that a role may work in."""


class Origin(BaseModel):
    """How an answer came to be; what was not noted at the time is None."""

    model_config = ConfigDict(frozen=True)

    role: Role | None = Field(None, description="The role in which the person answered.")
    started_at: datetime | None = Field(None, description="When the task's lease was granted.")
    channel: Channel = Field("client", description="client, tool, import or model.")
    client: str | None = Field(None, description="The program that sent it, as it named itself.")
    guideline_version: int | None = Field(None, description="Of the guidelines that came with the task.")
    taxonomy_versions: dict[str, int] = Field({}, description="By taxonomy that the project version is bound to.")
    validation: Validation = Field("unchecked", description="warned: valid, and a rule that warns is not met.")
    language: str | None = Field(None, description="BCP 47; the sample's.")


def role_in(stage: str, roles: Collection[Role]) -> Role | None:
    """Return the role in which somebody works in a stage; None where none of theirs may.

    Args:
        stage: The task's stage.
        roles: All roles of the person; who has several works in the first that fits.
    """
    return next((role for role, stages in STAGES_OF_ROLE.items() if role in roles and stage in stages), None)


def validation_of(verdicts: Sequence[RuleVerdict]) -> Validation:
    """Return the status of an answer that passed the checks, from what the rules said of it."""
    return "warned" if any(verdict.passed is False for verdict in verdicts) else "valid"


def taxonomy_versions(spec: ProjectSpec) -> dict[str, int]:
    """Return the versions of the taxonomies that a spec's fields take their options from."""
    bindings = (getattr(options, "taxonomy", None) for options in spec.fields.values())
    return {
        binding.name: binding.version for binding in bindings if binding is not None and binding.version is not None
    }
