"""One object's boxes over the frames of a video: object tracking."""

import itertools
from typing import Any, Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.kinds.items import Item, LabeledOptions, check_items
from shared.labels.kinds.kind import Checked, JsonSchema, Kind, Problem
from shared.labels.kinds.schemas import COORDINATE, EXTENT, ITEM_ID, items_schema, object_schema
from shared.labels.kinds.shapes import box_problems, canonical_box
from shared.labels.values import Coordinate, Count, Extent, Flag, Frozen, Name

MAX_TRACKS = 1_000
MAX_KEYFRAMES = 10_000


class TracksOptions(LabeledOptions):
    """Options of tracks."""

    kind: Literal["tracks"]
    asset: Name = Field(description="The video asset whose frames are meant.")


class Keyframe(Frozen):
    """Where the object is in one frame; between key frames its box moves in a straight line."""

    frame: Count
    """Counted from 0."""
    x: Coordinate
    """Of the upper left corner, in pixels."""
    y: Coordinate
    """Of the upper left corner, in pixels."""
    width: Extent
    """In pixels."""
    height: Extent
    """In pixels."""
    outside: Flag = False
    """From this frame on the object is not in the picture, until a later key frame says where it is again."""


class Track(Item):
    """One object through time."""

    keyframes: list[Keyframe] = Field(min_length=1, max_length=MAX_KEYFRAMES)
    """In any order, at most one of a frame."""


def check_tracks(options: TracksOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that tracks use frames that exist, boxes in the picture and known labels.

    Args:
        options: The field's options.
        facts: Facts of the video; unknown frame counts and sizes are not checked against.
        raw: ``[{"id", "label", "keyframes": [{"frame", "x", "y", "width", "height", "outside"?}]}]``, frames
            counted from 0, pixels of the stored original.

    Returns:
        The tracks sorted by first frame, its x and y, label and id; key frames by frame; ``outside`` only where true.
    """

    def canonical(track: Track) -> tuple[tuple[Any, ...], dict[str, Any], list[Problem]]:
        problems: list[Problem] = []
        keyframes = []
        for position, keyframe in enumerate(track.keyframes):
            form = {"frame": keyframe.frame, **canonical_box(keyframe)}
            if keyframe.outside:
                form["outside"] = True
            keyframes.append(form)
            problems.extend(_keyframe_problems(f"/keyframes/{position}", form, facts))
        keyframes.sort(key=lambda form: form["frame"])
        problems.extend(
            Problem("/keyframes", "duplicate", f"frame {frame} has two key frames; keep one.")
            for frame, following in itertools.pairwise(form["frame"] for form in keyframes)
            if frame == following
        )
        first = keyframes[0]
        key = (first["frame"], first["x"], first["y"])
        return key, {"id": track.id, "label": track.label, "keyframes": keyframes}, problems

    return check_items(raw, options, limit=MAX_TRACKS, of="tracks", model_of=lambda _: Track, canonical=canonical)


def tracks_schema(options: TracksOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    box = {"x": COORDINATE, "y": COORDINATE, "width": EXTENT, "height": EXTENT}
    required = ["frame", *box]
    keyframe = object_schema(
        {"frame": {"type": "integer", "minimum": 0}, **box, "outside": {"type": "boolean"}}, required
    )
    keyframes = {"type": "array", "items": keyframe, "minItems": 1, "maxItems": MAX_KEYFRAMES}
    properties = {"id": ITEM_ID, "label": {"enum": list(options.labels)}, "keyframes": keyframes}
    return items_schema(options, properties, required=list(properties), limit=MAX_TRACKS)


def _keyframe_problems(path: str, form: dict[str, Any], facts: AssetFacts | None) -> list[Problem]:
    problems = [
        Problem(path + problem.path, problem.code, f"frame {form['frame']}: {problem.message}")
        for problem in box_problems(form, facts)
    ]
    if facts is not None and facts.frames is not None and form["frame"] >= facts.frames:
        message = f"frame {form['frame']} does not exist; the video has frames 0 to {facts.frames - 1}."
        problems.append(Problem(path + "/frame", "outside-asset", message))
    return problems


TRACKS = Kind(
    name="tracks",
    options=TracksOptions,
    check=check_tracks,
    json_schema=tracks_schema,
    modalities=frozenset({"video"}),
)
