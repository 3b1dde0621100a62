"""A taxonomy: a tree of labels that projects share. A label keeps its id for good; its name and its place may change."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from shared.labels.values import (
    LABEL_ID_PATTERN,
    TAXONOMY_ID_PATTERN,
    Count,
    Frozen,
    Label,
    LanguageTag,
    Prose,
)

MAX_TAXONOMY_LABELS = 5_000
"""Labels of one taxonomy, those out of use included, for their ids stay taken."""
MAX_DEPTH = 12
"""Labels from a root to a leaf."""
MAX_TRANSLATIONS = 50

LabelId = Annotated[str, StringConstraints(strict=True, pattern=LABEL_ID_PATTERN)]
"""What answers hold: it never changes, and never means something else."""
TaxonomyId = Annotated[str, StringConstraints(strict=True, pattern=TAXONOMY_ID_PATTERN)]
Example = Annotated[Prose, Field(min_length=1, max_length=500)]


class TaxonomyBinding(Frozen):
    """Where a field takes its options or labels from: their ids are filled in when the project is published."""

    name: TaxonomyId
    """The taxonomy."""
    version: Annotated[Count, Field(ge=1)] | None = Field(
        None, description="The version; without it the newest, which is then written here."
    )
    under: LabelId | None = Field(None, description="Only what is below this label.")
    selectable: Literal["leaves", "all"] = Field("leaves", description="Whether labels above others are offered too.")


class LabelText(Frozen):
    """What people read of a label, in one language."""

    name: Label
    definition: Prose = Field("", max_length=2_000, description="When to choose it, and when not.")
    synonyms: tuple[Label, ...] = Field((), max_length=50, description="Other words for it.")
    examples: tuple[Example, ...] = Field((), max_length=20)


class Retirement(Frozen):
    """Why a label is out of use, and what became of it."""

    by: Literal["merge", "split", "deprecate", "rollback"]
    into: tuple[LabelId, ...] = Field((), description="The labels that took its place.")
    use: LabelId | None = Field(None, description="The label that samples are given instead; without it they keep it.")
    version: Count = Field(description="The taxonomy version since which it is out of use.")
    migration: str | None = Field(None, description="The migration that did it.")


class TaxonomyLabel(LabelText):
    """One label, at its place in the tree."""

    id: LabelId
    parent: LabelId | None = Field(None, description="The label above it; none for a root.")
    translations: Mapping[LanguageTag, LabelText] = Field(default_factory=dict, max_length=MAX_TRANSLATIONS)
    retired: Retirement | None = Field(None, description="Set by migrations alone.")

    def text(self, languages: Sequence[str], own: str) -> tuple[str, LabelText]:
        """Return the label's text in the first of some languages that it has, and that language.

        Args:
            languages: BCP 47, the preferred first; ``de-CH`` is also served by ``de``.
            own: The taxonomy's language, that of the label's own text.

        Source: RFC 4647 section 3.4 (lookup).
        """
        spoken = {tag.lower(): (tag, text) for tag, text in self.translations.items()}
        spoken[own.lower()] = (own, self)
        for language in languages:
            parts = language.lower().split("-")
            for length in range(len(parts), 0, -1):
                if (found := spoken.get("-".join(parts[:length]))) is not None:
                    return found
        return own, self


class Taxonomy(Frozen):
    """A tree of labels, each above those that are below it."""

    title: Prose = Field(min_length=1, max_length=200)
    description: Prose = Field("", max_length=5_000)
    language: LanguageTag = Field("en", description="The language of the labels' own texts.")
    labels: tuple[TaxonomyLabel, ...] = Field(min_length=1, max_length=MAX_TAXONOMY_LABELS)

    @cached_property
    def by_id(self) -> Mapping[str, TaxonomyLabel]:
        """The labels by their ids."""
        return {label.id: label for label in self.labels}

    @cached_property
    def live(self) -> frozenset[str]:
        """The ids of the labels that are in use."""
        return frozenset(label.id for label in self.labels if label.retired is None)

    @cached_property
    def inner(self) -> frozenset[str]:
        """The ids of the labels that have labels in use below them."""
        return frozenset(label.parent for label in self.labels if label.retired is None and label.parent is not None)

    @cached_property
    def replacements(self) -> Mapping[str, str]:
        """For each label out of use that samples do not keep: the label that they are given instead, at last."""
        found = {}
        for label in self.labels:
            if (last := self.ends_at(label.id)) != label.id:
                found[label.id] = last
        return found

    def ends_at(self, label_id: str) -> str:
        """Follow what replaces a label to the end; a label that nothing replaces is its own end."""
        retired = self.by_id[label_id].retired
        while retired is not None and retired.use is not None:
            label_id = retired.use
            retired = self.by_id[label_id].retired
        return label_id

    @cached_property
    def undecided(self) -> frozenset[str]:
        """Labels that were split without saying which part samples are given: those have to be labeled anew."""
        return frozenset(
            label.id
            for label in self.labels
            if label.retired is not None and label.retired.by == "split" and label.retired.use is None
        )

    def path(self, label_id: str) -> tuple[str, ...]:
        """Return the ids from the root down to a label."""
        path = [label_id]
        while (parent := self.by_id[path[0]].parent) is not None:
            path.insert(0, parent)
        return tuple(path)

    def selectable(self, *, under: str | None = None, leaves: bool = True) -> tuple[str, ...]:
        """Return the ids that a field may offer, in the taxonomy's order.

        Args:
            under: Only what is below this label.
            leaves: Only labels without others in use below them.
        """
        return tuple(
            label.id
            for label in self.labels
            if label.retired is None
            if not (leaves and label.id in self.inner)
            if under is None or under in self.path(label.id)[:-1]
        )

    def to_json(self) -> dict[str, Any]:
        """Write the taxonomy as JSON values without what is usual; ``check_taxonomy`` reads it back."""
        return self.model_dump(mode="json", exclude_defaults=True)
