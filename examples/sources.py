"""The sources' own pieces and labels, read from their files into the wire shapes of answers.

A *piece* is one line of ``samples.jsonl``: a text, a picture, a recording, with the labels that its source gave it.
"""

import csv
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from examples.model import Bounds

EXAMPLES = Path(__file__).parent
MEDIA = EXAMPLES / "media"

Piece = Mapping[str, Any]
Item = dict[str, Any]


@cache
def pieces() -> Mapping[str, Piece]:
    """All pieces by id, in the order of the file."""
    with (EXAMPLES / "samples.jsonl").open(encoding="utf-8") as lines:
        return {piece["id"]: piece for piece in map(json.loads, lines)}


def media_of(piece: Piece, role: str) -> Path:
    """Path of the piece's file with this role, such as ``image`` or ``annotation_rttm``.

    Raises:
        KeyError: The piece has no such file.
    """
    for medium in piece["media"]:
        if medium["role"] == role:
            return MEDIA / str(medium["path"])
    raise KeyError(f"{piece['id']} has no file with role {role!r}; samples.jsonl lists the roles it has")


def bounds_of(piece: Piece) -> Bounds:
    """What samples.jsonl states of the piece's main file: pixels, seconds, frames."""
    medium = piece["media"][0]
    return Bounds(
        width=medium.get("width"),
        height=medium.get("height"),
        duration=medium.get("duration_s"),
        frames=medium.get("frames"),
    )


def dialogue_text(turns: Sequence[Mapping[str, Any]]) -> tuple[str, list[Item]]:
    """Join turns to one text, a line ``speaker: text`` each.

    Returns:
        The text, and the turns' entities with their offsets (code points) counted in it.
    """
    lines: list[str] = []
    entities: list[Item] = []
    offset = 0
    for turn in turns:
        prefix = f"{turn['speaker']}: "
        shift = offset + len(prefix)
        entities += [{**span, "start": span["start"] + shift, "end": span["end"] + shift} for span in turn["entities"]]
        lines.append(prefix + turn["text"])
        offset += len(lines[-1]) + 1
    return "\n".join(lines), entities


def voc_boxes(path: Path) -> list[Item]:
    """Boxes of a Pascal VOC file, whose corners are inclusive and counted from 1, as regions counted from 0."""
    boxes: list[Item] = []
    for number, found in enumerate(Xml.parse(path).getroot().iter("object")):  # noqa: S314 - our own committed file
        left, top, right, bottom = (
            int(found.findtext(f"bndbox/{side}", "0")) for side in ("xmin", "ymin", "xmax", "ymax")
        )
        x, y = max(left - 1, 0), max(top - 1, 0)
        boxes.append(
            {
                "id": f"c{number}",
                "shape": "box",
                "label": found.findtext("name", ""),
                "x": x,
                "y": y,
                "width": right - x,
                "height": bottom - y,
            }
        )
    return boxes


def rttm_turns(path: Path) -> list[Item]:
    """Speaker turns of a NIST RTTM file (``SPEAKER file channel start duration ... speaker``), in seconds."""
    turns: list[Item] = []
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines()):
        columns = line.split()
        start, duration = float(columns[3]), float(columns[4])
        turns.append(
            {
                "id": f"t{number}",
                "start": start,
                "end": round(start + duration, 3),
                "label": "speech",
                "speaker": columns[7],
            }
        )
    return turns


def key_point_tracks(path: Path, every: int = 30) -> list[Item]:
    """Tracks of boxes around an animal's key points.

    The flies hardly move, so a key frame every 30 frames keeps the interpolated box at an IoU above 0.95 with the box
    of each frame. The source labels the first frames of the clip only: there the tracks end, with an ``outside`` key frame.

    Args:
        path: CSV with a row per frame, track and node: ``frame,track_id,track_name,node,x,y,visible``, pixels.
        every: Frames between key frames.
    """
    points: dict[str, dict[int, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    with path.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            points[row["track_name"]][int(row["frame"])].append((float(row["x"]), float(row["y"])))
    return [
        {"id": f"fly-{name}", "label": name, "keyframes": _key_frames(frames, every)}
        for name, frames in sorted(points.items())
    ]


def _key_frames(frames: Mapping[int, Sequence[tuple[float, float]]], every: int) -> list[Item]:
    last = max(frames)
    kept = [frame for frame in sorted(frames) if frame % every == 0 or frame == last]
    boxes = [{"frame": frame, **_box_around(frames[frame])} for frame in kept]
    return [*boxes, {**boxes[-1], "frame": last + 1, "outside": True}]


def _box_around(points: Sequence[tuple[float, float]]) -> Item:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    x, y = min(xs), min(ys)
    return {"x": x, "y": y, "width": round(max(xs) - x, 2), "height": round(max(ys) - y, 2)}


def anomaly_segments(piece: Piece) -> tuple[list[Item], Bounds]:
    """Anomaly windows of a sensor series as segments, in seconds from its first row.

    Returns:
        The segments, and the bounds with the series' duration.
    """
    with media_of(piece, "time_series").open(encoding="utf-8", newline="") as rows:
        stamps = [row["timestamp"] for row in csv.DictReader(rows)]
    first = datetime.fromisoformat(stamps[0])

    def seconds(stamp: str) -> float:
        return (datetime.fromisoformat(stamp) - first).total_seconds()

    segments = [
        {"id": f"a{number}", "start": seconds(window["start"]), "end": seconds(window["end"]), "label": window["label"]}
        for number, window in enumerate(piece["labels"]["intervals"])
    ]
    return segments, Bounds(duration=seconds(stamps[-1]))
