"""The parts of a spec that are sound in themselves, so that they can be held against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from shared.labels.facts import Modality
from shared.labels.guidelines import Guideline
from shared.labels.kinds import FieldOptions
from shared.labels.objective import Gate, ModalityNeed, Objective, Relation
from shared.labels.policies import Policy
from shared.labels.rule import Rule
from shared.labels.rule_references import references_of
from shared.labels.spec import AssetSpec


@dataclass(frozen=True)
class Parts:
    """The sound parts; unsound ones are left out, but their names are known, so that one fault is told once."""

    objective: Objective | None
    output: str | None
    """The objective's, where it is one that there is."""
    modalities: Mapping[int, ModalityNeed]
    relations: Mapping[int, Relation]
    gates: Mapping[int, Gate]
    assets: Mapping[str, AssetSpec]
    fields: Mapping[str, FieldOptions]
    rules: Mapping[int, Rule]
    rule_count: int
    """Of sound and unsound ones."""
    policies: Mapping[str, Policy]
    """Those of workflow, assignment, quality and sla, by place; those within, where the whole is not sound."""
    guidelines: Mapping[str, Guideline]
    """By modality or field."""
    guideline_names: frozenset[str]
    asset_names: frozenset[str]
    field_names: frozenset[str]

    @property
    def all_fields_sound(self) -> bool:
        """Whether what no field does can be told."""
        return self.field_names == frozenset(self.fields)

    @property
    def all_assets_sound(self) -> bool:
        """Whether what no asset is can be told."""
        return self.asset_names == frozenset(self.assets)

    @property
    def all_rules_sound(self) -> bool:
        """Whether what no rule says can be told."""
        return len(self.rules) == self.rule_count

    @cached_property
    def read_together(self) -> Sequence[frozenset[str]]:
        """For each sound rule, the fields that it reads."""
        return [references_of(rule.expression).fields for rule in self.rules.values()]

    def of_kind(self, kind: str) -> list[str]:
        """Return the names of the fields of a kind."""
        return [name for name, field in self.fields.items() if field.kind == kind]

    def assets_of(self, modality: Modality) -> list[str]:
        """Return the names of the assets of a modality."""
        return [name for name, asset in self.assets.items() if asset.modality == modality]
