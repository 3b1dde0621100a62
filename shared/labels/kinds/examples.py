"""One example of each kind: a field, what is known of its asset, a value that fits, and values that do not.

``docs/labels.md`` shows them, and tests hold every value to the check.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from shared.labels.facts import AssetFacts
from shared.labels.json_schema import MAX_SCHEMA_BYTES
from shared.labels.kinds import (
    FieldOptions,
    FieldSpec,
    moments,
    ranking,
    record,
    regions,
    relations,
    segments,
    shapes,
    spans,
    text,
    tracks,
    turns,
)
from shared.labels.kinds.attributes import MAX_ATTRIBUTES
from shared.labels.kinds.channels import MAX_CHANNELS
from shared.labels.kinds.kind import MAX_LABELS
from shared.labels.masks import MAX_MASK_CHARS, MAX_MASK_PIXELS, MAX_MASK_RUNS
from shared.labels.values import Frozen

_FIELD: TypeAdapter[FieldOptions] = TypeAdapter(FieldSpec)
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
_CHAT = f"I leave Bern on 3 May {FAMILY}.\nTo where?\nTo Rome."


@dataclass(frozen=True)
class Example:
    """A field of one kind, with values."""

    options: Mapping[str, Any]
    """As a project's spec has them."""
    value: Any
    """Accepted, and in canonical form."""
    wrong: tuple[Any, ...]
    """Refused, each for another reason."""
    facts: AssetFacts | None = None
    """Of the field's asset."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """What the kind bears at most, by what is counted."""
    models: tuple[type[Frozen], ...] = ()
    """Of the objects that a value is made of."""
    answer: Mapping[str, Any] = field(default_factory=dict)
    """Other fields of the same answer, for kinds that refer to them."""

    @property
    def field(self) -> FieldOptions:
        """The field as the check takes it."""
        return _FIELD.validate_python(dict(self.options))


def _span(start: int, end: int, label: str, **more: Any) -> dict[str, Any]:
    return {"id": f"s{start}", "start": start, "end": end, "label": label, **more}


def _region(shape: str, **geometry: Any) -> dict[str, Any]:
    return {"id": shape, "shape": shape, "label": "cat", **geometry}


def _track(*keyframes: Mapping[str, Any]) -> list[dict[str, Any]]:
    box = {"x": 5.0, "y": 5.0, "width": 50.0, "height": 40.0}
    return [{"id": "t1", "label": "hand", "keyframes": [{**box, **keyframe} for keyframe in keyframes]}]


def _relation(start: str, end: str, label: str = "names") -> dict[str, Any]:
    (from_field, from_id), (to_field, to_id) = start.split("/"), end.split("/")
    return {
        "id": "r1",
        "label": label,
        "from": {"field": from_field, "id": from_id},
        "to": {"field": to_field, "id": to_id},
    }


EXAMPLES: Mapping[str, Example] = {
    "choice": Example(
        options={
            "kind": "choice",
            "asset": "chat",
            "options": ["refund", "repair", "praise"],
            "multiple": True,
            "max_items": 2,
        },
        value=["refund", "repair"],
        wrong=("refund", ["refunds"], ["refund", "repair", "praise"]),
        limits={"options of a field": MAX_LABELS},
    ),
    "rating": Example(
        options={"kind": "rating", "minimum": 1, "maximum": 5, "step": 0.5},
        value=4.5,
        wrong=("4", 7, 4.2, float("nan")),
    ),
    "ranking": Example(
        options={"kind": "ranking", "asset": "responses"},
        facts=AssetFacts(modality="record", candidates=("A", "B", "C")),
        value=[["B"], ["A", "C"]],
        wrong=([["B"], ["A"]], [["B"], ["A", "C"], ["B"]], [["D"], ["A", "B", "C"]], ["B", "A", "C"]),
        limits={"candidates": ranking.MAX_CANDIDATES},
    ),
    "text": Example(
        options={"kind": "text", "max_chars": 200, "languages": ["en", "pt-BR"]},
        value={"text": "Bom dia!", "language": "pt-BR"},
        wrong=({"text": "Hi"}, {"text": "Bonjour", "language": "fr"}, {"text": "\ud83d", "language": "en"}, "Hi"),
        limits={"code points": text.MAX_CHARS},
        models=(text.TextValue,),
    ),
    "record": Example(
        options={
            "kind": "record",
            "schema": {
                "type": "object",
                "properties": {"urgent": {"type": "boolean"}, "order": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"}},
                "required": ["urgent"],
                "additionalProperties": False,
            },
        },
        value={"order": "B-17", "urgent": False},
        wrong=({"order": "17"}, {"urgent": 2**60}, []),
        limits={
            "bytes of a record": record.MAX_RECORD_BYTES,
            "bytes of a schema": MAX_SCHEMA_BYTES,
        },
    ),
    "spans": Example(
        options={
            "kind": "spans",
            "asset": "chat",
            "labels": ["city", "date", "emoji"],
            "attributes": {"exact": {"type": "boolean", "labels": ["date"]}},
        },
        facts=AssetFacts(modality="text", text=_CHAT, text_length=len(_CHAT)),
        value=[
            _span(8, 12, "city"),
            _span(16, 21, "date", attributes={"exact": True}),
            _span(22, 27, "emoji"),
        ],
        wrong=(
            [_span(8, 12, "cities")],
            [_span(12, 8, "city")],
            [_span(40, 90, "city")],
            [_span(22, 24, "emoji")],
            [_span(8, 12, "city", attributes={"exact": True})],
            [_span(8, 12, "city"), _span(8, 12, "date")],
        ),
        limits={"spans": spans.MAX_SPANS, "attributes of a field": MAX_ATTRIBUTES},
        models=(spans.Span,),
    ),
    "turns": Example(
        options={"kind": "turns", "asset": "chat", "labels": ["ask", "tell"], "links": ["asks back", "answers"]},
        facts=AssetFacts(modality="text", text=_CHAT, text_length=len(_CHAT), turns=3),
        value=[
            {"id": "t0", "turn": 0, "label": "tell"},
            {"id": "t1", "turn": 1, "label": "ask", "links": [{"to": 0, "label": "asks back"}]},
            {"id": "t2", "turn": 2, "label": "tell", "links": [{"to": 1, "label": "answers"}]},
        ],
        wrong=(
            [{"id": "t9", "turn": 9, "label": "ask"}],
            [{"id": "t1", "turn": 1, "label": "ask", "links": [{"to": 1, "label": "answers"}]}],
            [{"id": "a", "turn": 1, "label": "ask"}, {"id": "b", "turn": 1, "label": "tell"}],
        ),
        limits={"turns": turns.MAX_TURNS, "links of a turn": turns.MAX_LINKS},
        models=(turns.Turn, turns.TurnLink),
    ),
    "regions": Example(
        options={
            "kind": "regions",
            "asset": "photo",
            "labels": ["cat", "sign"],
            "shapes": ["box", "rotated_box", "polygon", "polyline", "keypoints", "mask"],
            "keypoints": ["head", "tail"],
            "skeleton": [["head", "tail"]],
            "text": True,
            "reading_order": True,
            "attributes": {"occluded": "boolean", "color": ["red", "blue"]},
        },
        facts=AssetFacts(modality="image", width=320, height=213),
        value=[
            _region("mask", rle={"size": [213, 320], "counts": "l>n0g500000000000adP2"}),
            _region("polyline", points=[[5.0, 200.0], [100.0, 190.0]]),
            _region("box", x=10.0, y=20.0, width=100.0, height=80.0, attributes={"color": "red", "occluded": False})
            | {"label": "sign", "text": "STOP", "order": 0},
            _region("polygon", points=[[10.0, 120.0], [60.0, 120.0], [60.0, 160.0]]),
            _region(
                "keypoints",
                keypoints={"head": {"x": 30.0, "y": 40.0}, "tail": {"x": 90.0, "y": 60.0, "visible": False}},
            ),
            _region("rotated_box", x=150.0, y=60.0, width=80.0, height=40.0, rotation=30.0),
        ],
        wrong=(
            [_region("box", x=300, y=20, width=100, height=80)],
            [_region("polygon", points=[[0, 0], [10, 10], [10, 0], [0, 10]])],
            [_region("mask", rle={"size": [320, 213], "counts": "l>n0g500000000000adP2"})],
            [_region("mask", rle={"size": [213, 320], "counts": [1, 2, 3]})],
            [_region("keypoints", keypoints={"nose": {"x": 1, "y": 1}})],
            [_region("circle", x=1, y=1)],
            [_region("box", x=float("inf"), y=20, width=100, height=80)],
        ),
        limits={
            "regions": regions.MAX_REGIONS,
            "points of a polygon or polyline": shapes.MAX_POINTS,
            "key points of a field": shapes.MAX_KEYPOINTS,
            "pixels of a mask": MAX_MASK_PIXELS,
            "runs of a mask": MAX_MASK_RUNS,
            "characters of a mask": MAX_MASK_CHARS,
            "characters of a region's text": shapes.MAX_REGION_CHARS,
        },
        models=(
            shapes.BoxRegion,
            shapes.RotatedBoxRegion,
            shapes.PolygonRegion,
            shapes.PolylineRegion,
            shapes.KeyPointsRegion,
            shapes.KeyPoint,
            shapes.MaskRegion,
            shapes.MaskRle,
        ),
    ),
    "segments": Example(
        options={"kind": "segments", "asset": "machine", "labels": ["anomaly"], "channels": True},
        facts=AssetFacts(modality="sensor", duration=3_600.0, channel_names=("heat", "speed")),
        value=[{"id": "g1", "start": 300.0, "end": 900.0, "label": "anomaly", "channels": ["heat"]}],
        wrong=(
            [{"id": "g1", "start": 900, "end": 300, "label": "anomaly"}],
            [{"id": "g1", "start": 300, "end": 4_000, "label": "anomaly"}],
            [{"id": "g1", "start": 300, "end": 900, "label": "anomaly", "channels": ["load"]}],
            [{"id": "g1", "start": 300, "end": 900, "label": "anomaly", "speaker": "Ana"}],
        ),
        limits={
            "segments": segments.MAX_SEGMENTS,
            "characters of a segment's text": segments.MAX_SEGMENT_CHARS,
            "channels of a segment": MAX_CHANNELS,
        },
        models=(segments.Segment,),
    ),
    "moments": Example(
        options={"kind": "moments", "asset": "clip", "labels": ["cut", "fade"], "tolerance": 0.2},
        facts=AssetFacts(modality="video", duration=12.0),
        value=[{"id": "m1", "time": 3.2, "label": "cut"}],
        wrong=([{"id": "m1", "time": 12.5, "label": "cut"}], [{"id": "m1", "time": -1, "label": "cut"}]),
        limits={"moments": moments.MAX_MOMENTS},
        models=(moments.Moment,),
    ),
    "tracks": Example(
        options={"kind": "tracks", "asset": "clip", "labels": ["hand"]},
        facts=AssetFacts(modality="video", width=320, height=240, frames=100, duration=4.0),
        value=_track({"frame": 0}, {"frame": 50, "x": 25.0}, {"frame": 60, "outside": True}),
        wrong=(
            _track({"frame": 100}),
            _track({"frame": 5}, {"frame": 5}),
            _track({"frame": 5, "x": 300}),
            _track(),
        ),
        limits={"tracks": tracks.MAX_TRACKS, "key frames of a track": tracks.MAX_KEYFRAMES},
        models=(tracks.Track, tracks.Keyframe),
    ),
    "relations": Example(
        options={"kind": "relations", "labels": ["names"], "from": ["entities"], "to": ["animals"]},
        value=[_relation("entities/e1", "animals/a1")],
        wrong=(
            [_relation("animals/a1", "animals/a2")],
            [_relation("entities/e1", "animals/a1", label="shows")],
            [_relation("entities/e9", "animals/a1")],
        ),
        limits={"relations": relations.MAX_RELATIONS},
        models=(relations.Relation, relations.End),
        answer={"entities": [_span(8, 12, "city") | {"id": "e1"}], "animals": [_region("box") | {"id": "a1"}]},
    ),
}
"""By kind; a test names the one that is missing."""
