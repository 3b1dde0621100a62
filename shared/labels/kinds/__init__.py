"""The kinds of fields: one module each, and the registry through which everything finds them.

A new kind is a module with its options, its check, its schema and a ``Kind``, named here once in the registry and once
in the union of options that a project's spec is read with.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from shared.labels.kinds.choice import CHOICE, ChoiceOptions
from shared.labels.kinds.kind import Checked, FieldOptions, JsonSchema, Kind
from shared.labels.kinds.moments import MOMENTS, MomentsOptions
from shared.labels.kinds.ranking import RANKING, RankingOptions
from shared.labels.kinds.rating import RATING, RatingOptions
from shared.labels.kinds.record import RECORD, RecordOptions
from shared.labels.kinds.regions import REGIONS, RegionsOptions
from shared.labels.kinds.relations import RELATIONS, RelationsOptions
from shared.labels.kinds.segments import SEGMENTS, SegmentsOptions
from shared.labels.kinds.spans import SPANS, SpansOptions
from shared.labels.kinds.text import TEXT, TextOptions
from shared.labels.kinds.tracks import TRACKS, TracksOptions
from shared.labels.kinds.turns import TURNS, TurnsOptions

__all__ = [
    "KINDS",
    "Checked",
    "ChoiceOptions",
    "FieldOptions",
    "FieldSpec",
    "JsonSchema",
    "Kind",
    "MomentsOptions",
    "RankingOptions",
    "RatingOptions",
    "RecordOptions",
    "RegionsOptions",
    "RelationsOptions",
    "SegmentsOptions",
    "SpansOptions",
    "TextOptions",
    "TracksOptions",
    "TurnsOptions",
]

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        CHOICE,
        RATING,
        RANKING,
        TEXT,
        RECORD,
        SPANS,
        TURNS,
        REGIONS,
        SEGMENTS,
        MOMENTS,
        TRACKS,
        RELATIONS,
    )
}

FieldSpec = Annotated[
    ChoiceOptions
    | RatingOptions
    | RankingOptions
    | TextOptions
    | RecordOptions
    | SpansOptions
    | TurnsOptions
    | RegionsOptions
    | SegmentsOptions
    | MomentsOptions
    | TracksOptions
    | RelationsOptions,
    Field(discriminator="kind"),
]
"""What a project says of one field."""
