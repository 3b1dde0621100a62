"""Time ranges with labels: diarization, transcription, sound events, actions, sensor intervals."""

from typing import Any, Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.kinds.channels import CHANNELS_SCHEMA, MAX_CHANNELS, channel_problems
from shared.labels.kinds.items import Item, LabeledOptions, check_items, refuse_overlaps
from shared.labels.kinds.kind import Checked, JsonSchema, Kind, Problem
from shared.labels.kinds.schemas import COORDINATE, EXTENT, ITEM_ID, items_schema
from shared.labels.values import TOLERANCE, Coordinate, Extent, Flag, Label, Name, Prose, normalized, rounded

MAX_SEGMENTS = 10_000
MAX_SEGMENT_CHARS = 5_000


class SegmentsOptions(LabeledOptions):
    """Options of segments."""

    kind: Literal["segments"]
    asset: Name = Field(description="The audio, video or sensor asset whose time is meant.")
    speaker: Flag = Field(False, description="Segments may name their speaker.")
    text: Flag = Field(False, description="Segments may carry what is said.")
    channels: Flag = Field(False, description="Segments of a sensor series may name the channels that they are about.")
    overlapping: Flag = Field(True, description="Segments may share time.")


class Segment(Item):
    """A range of seconds from the asset's start."""

    start: Coordinate
    """In seconds."""
    end: Extent
    """In seconds; after the start."""
    speaker: Label = ""
    """Who speaks, under any name that the annotator gives."""
    text: Prose = Field("", max_length=MAX_SEGMENT_CHARS)
    """What is said."""
    channels: list[Label] = Field(default_factory=list, min_length=1, max_length=MAX_CHANNELS)
    """Names of channels of the series; without them, all are meant."""


def check_segments(options: SegmentsOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that segments lie within the asset's duration and carry known labels.

    Args:
        options: The field's options.
        facts: Facts of the asset; without a known duration the end is not checked against it.
        raw: ``[{"id", "start", "end", "label", "speaker"?, "text"?, "channels"?}]`` in seconds.

    Returns:
        The segments sorted by start, end, label and id, times rounded to a microsecond, texts and speakers in NFC,
        channels sorted.
    """
    duration = None if facts is None else facts.duration

    def canonical(segment: Segment) -> tuple[tuple[Any, ...], dict[str, Any], list[Problem]]:
        form: dict[str, Any] = {
            "id": segment.id,
            "start": rounded(segment.start),
            "end": rounded(segment.end),
            "label": segment.label,
        }
        given = segment.model_fields_set
        if "speaker" in given:
            form["speaker"] = normalized(segment.speaker)
        if "text" in given:
            form["text"] = normalized(segment.text)
        problems = _problems(options, form, duration)
        if "channels" in given:
            form["channels"] = sorted(segment.channels)
            problems += channel_problems(segment.channels, facts, asked=options.channels)
        return (form["start"], form["end"]), form, problems

    segments = check_items(
        raw, options, limit=MAX_SEGMENTS, of="segments", model_of=lambda _: Segment, canonical=canonical
    )
    return segments if options.overlapping or segments.faults else refuse_overlaps(segments.value)


def segments_schema(options: SegmentsOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    properties = {"id": ITEM_ID, "start": COORDINATE, "end": EXTENT, "label": {"enum": list(options.labels)}}
    required = list(properties)
    if options.speaker:
        properties["speaker"] = {"type": "string", "minLength": 1, "maxLength": 200}
    if options.text:
        properties["text"] = {"type": "string", "maxLength": MAX_SEGMENT_CHARS}
    if options.channels:
        properties["channels"] = CHANNELS_SCHEMA
    return items_schema(options, properties, required=required, limit=MAX_SEGMENTS)


def _problems(options: SegmentsOptions, form: dict[str, Any], duration: float | None) -> list[Problem]:
    problems = []
    if form["start"] >= form["end"]:
        message = f"start {form['start']:g} s must be before end {form['end']:g} s."
        problems.append(Problem("/end", "empty-segment", message))
    if duration is not None and form["end"] > duration + TOLERANCE:
        message = f"end {form['end']:g} s is after the end of the asset at {duration:g} s."
        problems.append(Problem("/end", "outside-asset", message))
    if "speaker" in form and not options.speaker:
        problems.append(Problem("/speaker", "not-asked", "this field asks for no speaker; leave it out."))
    if "text" in form and not options.text:
        problems.append(Problem("/text", "not-asked", "this field asks for no text; leave it out."))
    return problems


SEGMENTS = Kind(
    name="segments",
    options=SegmentsOptions,
    check=check_segments,
    json_schema=segments_schema,
    modalities=frozenset({"audio", "video", "sensor"}),
)
