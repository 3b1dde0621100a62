"""What a project asks for: the models of its spec. ``shared.labels.project`` checks one that comes from outside."""

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.labels.facts import TIMED, Clock, Modality
from shared.labels.faults import Fault, under
from shared.labels.guidelines import Guidelines
from shared.labels.json_schema import Validator, schema_faults
from shared.labels.kinds import KINDS, FieldSpec
from shared.labels.kinds.kind import duplicates
from shared.labels.objective import Objective
from shared.labels.pii.model import PiiAction
from shared.labels.policies import AssignmentPolicy, IntakePolicy, PiiPolicy, Policy, QualityPolicy, Sla, Workflow
from shared.labels.rule import Rule
from shared.labels.values import Count, Flag, Frozen, Label, LanguageTag, Name, Number, Prose

MAX_FIELDS = 200
MAX_ASSETS = 50
MAX_RULES = 200
MAX_TEXT_CHARS = 1_000_000
"""What a text asset may hold at all; a slot's ``max_chars`` sets less."""

FILES: frozenset[Modality] = frozenset({"text", "image", "audio", "video", "sensor", "document"})
SEARCHED: frozenset[Modality] = frozenset({"text", "record"})
"""In which personal data is looked for."""
WORDED: frozenset[Modality] = frozenset({"text", "image", "audio", "video", "record"})


class AssetSpec(Frozen):
    """One slot of a sample, and the limits of what goes in."""

    modality: Modality
    required: Flag = Field(True, description="A sample without this asset is refused.")
    title: Prose | None = Field(None, max_length=200)
    max_bytes: Annotated[Count, Field(ge=1)] | None = Field(None, description="Of an uploaded file.")
    max_chars: Annotated[Count, Field(ge=1, le=MAX_TEXT_CHARS)] | None = Field(None, description="Code points of text.")
    max_seconds: Annotated[Number, Field(gt=0)] | None = Field(None, description="Of audio, video and sensor series.")
    languages: tuple[LanguageTag, ...] = Field(
        (), max_length=100, description="BCP 47; what may be written or spoken in it. Empty: whatever the sample says."
    )
    exif: Literal["keep", "strip", "remove"] = Field(
        "keep",
        description="Of an image: what is served of what the file tells of place, time and camera (EXIF, XMP, comments, "
        "thumbnails). keep: all. strip: a copy without it, in which the orientation stays; managers get the original. "
        "remove: the same, and the original is deleted.",
    )
    clock: Clock | None = Field(
        None, description="Where the asset's time stands on the sample's common clock, unless a sample says else."
    )

    pii: PiiAction | Literal["ignore"] | None = Field(
        None,
        description="What becomes of personal data in this text or record, where it is not as `intake.pii` says. "
        "ignore: it is not looked for.",
    )

    json_schema: Mapping[str, Any] | None = Field(
        None,
        alias="schema",
        description="JSON Schema 2020-12 that records must meet to be taken in; references stay within it, and nothing "
        "refers to itself.",
    )

    @cached_property
    def validator(self) -> Validator:
        """The compiled schema of a slot that has one."""
        return Validator(self.json_schema or {})

    def faults(self) -> list[Fault]:
        """Find limits that mean nothing for the modality, and a schema that cannot be used."""
        limits = {
            "max_bytes": FILES,
            "max_chars": frozenset({"text"}),
            "max_seconds": TIMED,
            "languages": WORDED,
            "clock": TIMED,
            "pii": SEARCHED,
            "schema": frozenset({"record"}),
        }
        faults = duplicates("/languages", self.languages)
        if self.exif != "keep" and self.modality != "image":
            message = f"exif means nothing for a {self.modality} asset; drop it."
            faults.append(Fault(pointer="/exif", code="contradiction", message=message))
        if self.json_schema is not None:
            faults += under("/schema", schema_faults(self.json_schema))
        for limit, modalities in limits.items():
            if getattr(self, "json_schema" if limit == "schema" else limit) and self.modality not in modalities:
                message = f"{limit} means nothing for a {self.modality} asset; drop it."
                faults.append(Fault(pointer=f"/{limit}", code="contradiction", message=message))
        return faults


class ProjectSpec(Frozen):
    """A labeling project as its owner states it; immutable per version."""

    title: Prose = Field(min_length=1, max_length=200)
    objective: Objective
    languages: tuple[LanguageTag, ...] = Field((), max_length=100, description="BCP 47; of samples and annotators.")
    assets: Mapping[Name, AssetSpec] = Field(min_length=1, max_length=MAX_ASSETS)
    fields: Mapping[Name, FieldSpec] = Field(min_length=1, max_length=MAX_FIELDS)
    rules: tuple[Rule, ...] = Field((), max_length=MAX_RULES)
    guidelines: Guidelines = Field(
        default_factory=dict, description="Markdown per modality or field, alone or with examples."
    )
    intake: IntakePolicy = IntakePolicy()
    workflow: Workflow = Workflow()
    assignment: AssignmentPolicy = AssignmentPolicy()
    quality: QualityPolicy = QualityPolicy()
    sla: Sla = Sla()
    blind: Flag = Field(True, description="Annotators do not see each other's answers.")
    demographics: Mapping[Name, tuple[Label, ...]] = Field(
        default_factory=dict,
        max_length=50,
        description="Attributes of people that samples may tell, with their values.",
    )

    @cached_property
    def interdependent(self) -> tuple[str, ...]:
        """The fields whose check needs the rest of the answer, in the order of their names."""
        return tuple(
            name
            for name, options in sorted(self.fields.items())
            if options.required_if is not None or KINDS[options.kind].check_references is not None
        )

    @cached_property
    def searches_pii(self) -> bool:
        """Whether personal data is looked for anywhere."""
        return self.intake.pii is not None or any(self.pii_of(slot) is not None for slot in self.assets)

    @cached_property
    def hides_pii(self) -> bool:
        """Whether there is personal data that must not go on from where it came in."""
        of_all = [self.intake.pii, *map(self.pii_of, self.assets)]
        return any(policy is not None and policy.action != "flag" for policy in of_all)

    def pii_of(self, slot: str) -> PiiPolicy | None:
        """Return what becomes of personal data in a slot; None where it is not looked for."""
        asset = self.assets.get(slot)
        own = None if asset is None else asset.pii
        if own is None or own == "ignore":
            return self.intake.pii if own is None else None
        if self.intake.pii is None:
            return PiiPolicy(action=own)
        return self.intake.pii.model_copy(update={"action": own})

    def hides_pii_of(self, slot: str) -> bool:
        """Whether a slot is searched for personal data that must not go on from where it came in."""
        asset, policy = self.assets.get(slot), self.pii_of(slot)
        return asset is not None and asset.modality in SEARCHED and policy is not None and policy.action != "flag"

    @classmethod
    def policies(cls) -> Mapping[str, type[Policy]]:
        """The models of how the work is organized, by the key they stand at."""
        return {
            "intake": IntakePolicy,
            "workflow": Workflow,
            "assignment": AssignmentPolicy,
            "quality": QualityPolicy,
            "sla": Sla,
        }

    def judges_like(self, other: "ProjectSpec") -> bool:
        """Tell whether every label meets the rules of both specs alike, as far as can be told from the specs."""
        mine, theirs = (
            ([rule.digest for rule in spec.rules], {name: asset.clock for name, asset in spec.assets.items()})
            for spec in (self, other)
        )
        return mine == theirs or not (self.rules or other.rules)

    def to_json(self) -> dict[str, Any]:
        """Write the spec as JSON values, for events and documents; ``ProjectSpec.model_validate`` reads it back."""
        return self.model_dump(mode="json")
