"""Valid fields, facts, specs and values, so that each test names only what it is about."""

import itertools
from typing import Any

from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.labels.answer import check_value
from shared.labels.facts import AssetFacts
from shared.labels.kinds import FieldOptions, FieldSpec
from shared.labels.project import ProjectSpec, check_spec

WIDTH, HEIGHT, DURATION, TEXT_LENGTH, FRAMES, TURNS = 640, 480, 60.0, 200, 300, 12

TEXT = AssetFacts(modality="text", text_length=TEXT_LENGTH, turns=TURNS)
IMAGE = AssetFacts(modality="image", width=WIDTH, height=HEIGHT)
AUDIO = AssetFacts(modality="audio", duration=DURATION)
VIDEO = AssetFacts(modality="video", width=WIDTH, height=HEIGHT, frames=FRAMES, duration=DURATION)
SERIES = AssetFacts(modality="sensor", duration=DURATION, channel_names=("speed", "heat", "load"))
PAIR = AssetFacts(modality="record", candidates=("A", "B", "C"))
FACTS = {"choice": TEXT, "rating": TEXT, "ranking": PAIR, "text": TEXT, "record": TEXT} | {
    "spans": TEXT,
    "regions": IMAGE,
    "segments": AUDIO,
    "tracks": VIDEO,
    "turns": TEXT,
    "moments": SERIES,
    "relations": TEXT,
}

LABELS = ["cat", "dog", "Ente"]
RECORD_SCHEMA = {
    "type": "object",
    "properties": {
        "priority": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["priority"],
    "additionalProperties": False,
}
ATTRIBUTES = {
    "occluded": "boolean",
    "count": "number",
    "note": "text",
    "color": ["red", "blue"],
    "quacks": {"type": "boolean", "labels": ["Ente"]},
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "choice": {"options": LABELS, "multiple": True},
    "rating": {"minimum": -1, "maximum": 5, "step": 0.5},
    "ranking": {"asset": "responses"},
    "text": {"languages": ["en", "pt-BR"]},
    "record": {"schema": RECORD_SCHEMA},
    "spans": {"asset": "chat", "labels": LABELS, "attributes": ATTRIBUTES},
    "regions": {
        "asset": "photo",
        "labels": LABELS,
        "shapes": ["box", "rotated_box", "polygon", "polyline", "keypoints", "mask"],
        "keypoints": ["head", "tail", "left/paw"],
        "text": True,
        "reading_order": True,
        "attributes": ATTRIBUTES,
    },
    "segments": {"asset": "voice", "labels": LABELS, "speaker": True, "text": True, "attributes": ATTRIBUTES},
    "tracks": {"asset": "clip", "labels": LABELS, "attributes": ATTRIBUTES},
    "turns": {"asset": "chat", "labels": LABELS, "links": ["answers", "repeats"], "attributes": ATTRIBUTES},
    "moments": {"asset": "series", "labels": LABELS, "channels": True, "attributes": ATTRIBUTES},
    "relations": {"labels": LABELS, "from": ["people", "entities"], "to": ["entities", "speech"]},
}


def a_field(kind: str, **options: Any) -> FieldOptions:
    adapter: TypeAdapter[FieldOptions] = TypeAdapter(FieldSpec)
    return adapter.validate_python({"kind": kind, **DEFAULTS[kind], **options})


def accepted(field: FieldOptions, raw: object, facts: AssetFacts | None = None) -> Any:
    value, faults = check_value(field, facts or FACTS[field.kind], raw)
    assert list(faults) == []
    return value


def refused(field: FieldOptions, raw: object, facts: AssetFacts | None = None) -> list[tuple[str, str]]:
    """Pointer and code of each fault, in the order told."""
    value, faults = check_value(field, facts or FACTS[field.kind], raw)
    assert value is None
    assert all(len(fault.message) > 10 for fault in faults)
    return [(fault.pointer, fault.code) for fault in faults]


def a_box(**changes: Any) -> dict[str, Any]:
    return {"id": "b1", "shape": "box", "label": "cat", "x": 10, "y": 20, "width": 30, "height": 25} | changes


def a_polygon(points: list[list[float]], **changes: Any) -> dict[str, Any]:
    return {"id": "p1", "shape": "polygon", "label": "cat", "points": points} | changes


def a_mask(counts: Any, height: int = HEIGHT, width: int = WIDTH, **changes: Any) -> dict[str, Any]:
    return {"id": "m1", "shape": "mask", "label": "cat", "rle": {"size": [height, width], "counts": counts}} | changes


def a_span(start: int, end: int, /, **changes: Any) -> dict[str, Any]:
    return {"id": f"s{start}-{end}", "start": start, "end": end, "label": "cat"} | changes


a_segment = a_span


def a_track(*frames: int, **changes: Any) -> dict[str, Any]:
    keyframes = [{"frame": frame, "x": frame, "y": 5, "width": 10, "height": 10} for frame in frames]
    return {"id": "t1", "label": "cat", "keyframes": keyframes} | changes


def a_turn(number: int, *links: tuple[int, str], **changes: Any) -> dict[str, Any]:
    told = {"links": [{"to": to, "label": label} for to, label in links]} if links else {}
    return {"id": f"t{number}", "turn": number, "label": "cat", **told} | changes


def a_moment(time: float, /, **changes: Any) -> dict[str, Any]:
    return {"id": f"m{time}", "time": time, "label": "cat"} | changes


def a_relation(start: str, end: str, /, **changes: Any) -> dict[str, Any]:
    """Ends are ``field/id``."""
    ends = [dict(zip(("field", "id"), each.split("/"), strict=True)) for each in (start, end)]
    return {"id": f"{start}-{end}".replace("/", "."), "label": "cat", "from": ends[0], "to": ends[1]} | changes


def a_raw_spec(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Support conversations",
        "objective": {"goal": "Route tickets", "output": "predictive", "modalities": ["text", "audio"]},
        "languages": ["en", "de"],
        "assets": {
            "chat": {"modality": "text", "max_chars": 20000},
            "voice_note": {"modality": "audio", "required": False, "max_seconds": 120},
            "screenshot": {"modality": "image"},
            "responses": {"modality": "record"},
        },
        "fields": {
            "sentiment": {"kind": "choice", "asset": "chat", "required": True, "options": ["positive", "negative"]},
            "tone": {"kind": "choice", "asset": "voice_note", "required": True, "options": ["calm", "angry"]},
            "entities": {"kind": "spans", "asset": "chat", "labels": ["date", "city"]},
            "people": {"kind": "regions", "asset": "screenshot", "labels": ["person"]},
        },
        "rules": [
            {
                "id": "sentiment-matches-tone",
                "expression": '!(fields.sentiment == "positive" && fields.tone == "angry")',
                "severity": "warn",
                "message": "A positive text in an angry voice: listen again.",
            }
        ],
        "guidelines": {"text": "Read twice.", "audio": "Listen twice.", "image": "Draw tightly."},
        "quality": {"overlap": 3, "max_overlap": 5, "quorum": 0.6},
    } | changes


def a_spec(**changes: Any) -> ProjectSpec:
    check = check_spec(a_raw_spec(**changes))
    assert check.spec is not None, check.faults
    return check.spec


NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | st.text(st.characters(), max_size=8) | st.sampled_from(LABELS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "label", "shape", "start", "x", "points", "keyframes", "text"]), inner, max_size=5
        )
        | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)
"""JSON, and what readers may take for it: NaN, infinity, huge integers and lone surrogates."""


def _sides(size: int) -> st.SearchStrategy[tuple[float, float]]:
    starts = st.floats(0, size - 1)
    return starts.flatmap(lambda start: st.tuples(st.just(start), st.floats(0.001, size - start)))


def _items(item: st.SearchStrategy[dict[str, Any]], most: int = 5) -> st.SearchStrategy[list[dict[str, Any]]]:
    with_label = st.builds(lambda body, label: {**body, "label": label}, item, st.sampled_from(LABELS))
    listed = st.lists(with_label, max_size=most)
    return listed.map(lambda items: [{"id": f"i{position}", **body} for position, body in enumerate(items)])


def _box(sides_x: tuple[float, float], sides_y: tuple[float, float]) -> dict[str, Any]:
    return {"x": sides_x[0], "y": sides_y[0], "width": sides_x[1], "height": sides_y[1]}


def _polygon(box: dict[str, Any], turn: int, backwards: bool) -> dict[str, Any]:
    x, y, right, low = box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]
    ring = [[x, y], [right, y], [right, low], [x, low]]
    ring = ring[turn:] + ring[:turn]
    return {"shape": "polygon", "points": ring[::-1] if backwards else ring}


BOXES = st.builds(_box, _sides(WIDTH), _sides(HEIGHT))
_WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
_SPEAKERS = st.sampled_from(["ana", "bo"])
_ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "occluded": st.booleans(),
        "count": st.integers(-5, 5) | st.floats(-5, 5),
        "note": st.sampled_from(["half hidden", "x"]),
        "color": st.sampled_from(["red", "blue"]),
    },
)
_POINTS = st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT))
_LINES = st.lists(_POINTS, min_size=2, max_size=6, unique_by=lambda point: (round(point[0], 6), round(point[1], 6)))
_KEYPOINTS = st.dictionaries(
    st.sampled_from(["head", "tail", "left/paw"]),
    st.builds(lambda at, visible: {"x": at[0], "y": at[1], "visible": visible}, _POINTS, st.booleans()),
    min_size=1,
)
_RUNS = st.lists(st.integers(0, WIDTH * HEIGHT), min_size=2, max_size=7).map(sorted)


def _mask_of(offsets: list[int]) -> dict[str, Any]:
    """A mask with runs between offsets, at least one pixel of it inside, some runs empty."""
    borders = [0, *offsets, WIDTH * HEIGHT]
    runs = [after - before for before, after in itertools.pairwise(borders)]
    if not any(runs[1::2]):
        runs = [0, 1, WIDTH * HEIGHT - 1]
    return {"shape": "mask", "rle": {"size": [HEIGHT, WIDTH], "counts": runs}}


_REGIONS = (
    st.builds(lambda box: {"shape": "box", **box}, BOXES)
    | st.builds(_polygon, BOXES, st.integers(0, 3), st.booleans())
    | st.builds(
        lambda turn: {"shape": "rotated_box", "x": 200, "y": 150.5, "width": 120, "height": 80, "rotation": turn},
        st.floats(-360, 360),
    )
    | _LINES.map(lambda points: {"shape": "polyline", "points": [list(point) for point in points]})
    | _KEYPOINTS.map(lambda points: {"shape": "keypoints", "keypoints": points})
    | _RUNS.map(_mask_of)
)


def _ordered(regions: list[dict[str, Any]], step: int) -> list[dict[str, Any]]:
    return [{**region, "order": 3 + step * place} if step else region for place, region in enumerate(regions)]


def _with(item: st.SearchStrategy[dict[str, Any]], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda body, extra: {**body, **extra}, item, st.fixed_dictionaries({}, optional=optional))


def _track(first: int, boxes: list[dict[str, Any]], outside: bool) -> dict[str, Any]:
    keyframes = [{"frame": first + 3 * step, **box} for step, box in enumerate(boxes)]
    keyframes[-1]["outside"] = outside
    return {"keyframes": keyframes[::-1]}


def _turns(numbers: list[int], label: str, links: list[tuple[int, str]]) -> list[dict[str, Any]]:
    linked = [{"to": to, "label": of} for to, of in links]
    return [
        {"id": f"i{number}", "turn": number, "label": label, "links": [link for link in linked if link["to"] != number]}
        for number in numbers
    ]


def _relations(ends: list[tuple[str, str, str]]) -> list[dict[str, Any]]:
    return [a_relation(start, end, id=f"r{number}", label=of) for number, (start, end, of) in enumerate(ends)]


def _ranges(most: float, numbers: Any) -> st.SearchStrategy[dict[str, Any]]:
    pairs = st.tuples(numbers, numbers).map(sorted).filter(lambda pair: pair[1] - pair[0] > 1e-3)
    return pairs.map(lambda pair: {"start": pair[0], "end": pair[1]})


VALID: dict[str, st.SearchStrategy[Any]] = {
    "choice": st.lists(st.sampled_from(LABELS), unique=True),
    "rating": st.integers(-2, 10).map(lambda halves: halves / 2),
    "ranking": st.permutations(["A", "B", "C"]).flatmap(
        lambda order: st.sampled_from([[order], [[one] for one in order], [order[:1], order[1:]]])
    ),
    "text": st.fixed_dictionaries({"text": _WORDS, "language": st.sampled_from(["en", "pt-BR"])}),
    "record": st.fixed_dictionaries({"priority": st.integers(1, 9)}, optional={"tags": st.lists(_WORDS, max_size=3)}),
    "spans": _items(_with(_ranges(TEXT_LENGTH, st.integers(0, TEXT_LENGTH)), attributes=_ATTRIBUTES)),
    "regions": st.builds(
        _ordered, _items(_with(_REGIONS, text=_WORDS, attributes=_ATTRIBUTES)), st.sampled_from([0, 1, 7])
    ),
    "segments": _items(
        _with(_ranges(DURATION, st.floats(0, DURATION)), speaker=_SPEAKERS, text=_WORDS, attributes=_ATTRIBUTES)
    ),
    "tracks": _items(
        st.builds(_track, st.integers(0, 100), st.lists(BOXES, min_size=1, max_size=4), st.booleans()), most=3
    ),
    "turns": st.builds(
        _turns,
        st.lists(st.integers(0, TURNS - 1), max_size=5, unique=True),
        st.sampled_from(LABELS),
        st.lists(
            st.tuples(st.integers(0, TURNS - 1), st.sampled_from(["answers", "repeats"])), max_size=3, unique=True
        ),
    ),
    "moments": _items(
        _with(
            st.floats(0, DURATION).map(lambda time: {"time": time}),
            channels=st.lists(st.sampled_from(["speed", "heat", "load"]), min_size=1, unique=True),
            attributes=_ATTRIBUTES,
        )
    ),
    "relations": st.lists(
        st.tuples(
            st.sampled_from(["people/p1", "people/p2", "entities/e1"]),
            st.sampled_from(["speech/s1", "entities/e2", "speech/s2"]),
            st.sampled_from(LABELS),
        ),
        max_size=5,
        unique=True,
    ).map(_relations),
}
"""Values that each kind accepts under ``DEFAULTS`` and ``FACTS``, in no canonical form."""
