"""Time points with labels: scene transitions, events."""

from typing import Any, Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.kinds.channels import CHANNELS_SCHEMA, MAX_CHANNELS, channel_problems
from shared.labels.kinds.items import Item, LabeledOptions, check_items
from shared.labels.kinds.kind import Checked, JsonSchema, Kind, Problem
from shared.labels.kinds.schemas import COORDINATE, ITEM_ID, items_schema
from shared.labels.values import TOLERANCE, Coordinate, Extent, Flag, Label, Name, rounded

MAX_MOMENTS = 10_000


class MomentsOptions(LabeledOptions):
    """Options of moments."""

    kind: Literal["moments"]
    asset: Name = Field(description="The audio, video or sensor asset whose time is meant.")
    channels: Flag = Field(False, description="Moments of a sensor series may name the channels that they are about.")
    tolerance: Extent = Field(
        0.5, description="Seconds that two annotators' times for one moment may be apart; used when they are compared."
    )


class Moment(Item):
    """A point in time, in seconds from the asset's start."""

    time: Coordinate
    """In seconds."""
    channels: list[Label] = Field(default_factory=list, min_length=1, max_length=MAX_CHANNELS)
    """Names of channels of the series; without them, all are meant."""


def check_moments(options: MomentsOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that moments lie within the asset's duration and carry known labels.

    Args:
        options: The field's options.
        facts: Facts of the asset; without a known duration the time is not checked against it.
        raw: ``[{"id", "time", "label", "channels"?}]`` in seconds.

    Returns:
        The moments sorted by time, label and id, times rounded to a microsecond, channels sorted.
    """
    duration = None if facts is None else facts.duration

    def canonical(moment: Moment) -> tuple[tuple[Any, ...], dict[str, Any], list[Problem]]:
        time = rounded(moment.time)
        form: dict[str, Any] = {"id": moment.id, "time": time, "label": moment.label}
        problems = []
        if duration is not None and time > duration + TOLERANCE:
            message = f"time {time:g} s is after the end of the asset at {duration:g} s."
            problems.append(Problem("/time", "outside-asset", message))
        if "channels" in moment.model_fields_set:
            form["channels"] = sorted(moment.channels)
            problems += channel_problems(moment.channels, facts, asked=options.channels)
        return (time,), form, problems

    return check_items(raw, options, limit=MAX_MOMENTS, of="moments", model_of=lambda _: Moment, canonical=canonical)


def moments_schema(options: MomentsOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    properties: dict[str, JsonSchema] = {"id": ITEM_ID, "time": COORDINATE, "label": {"enum": list(options.labels)}}
    required = list(properties)
    if options.channels:
        properties["channels"] = CHANNELS_SCHEMA
    return items_schema(options, properties, required=required, limit=MAX_MOMENTS)


MOMENTS = Kind(
    name="moments",
    options=MomentsOptions,
    check=check_moments,
    json_schema=moments_schema,
    modalities=frozenset({"audio", "video", "sensor"}),
)
