"""How a person of some skill gets a known answer wrong, one function for each kind of field.

Each takes the true value, the field, the bounds of its asset, ``error`` (1 minus the skill, 0 to 1) and a random number
generator, and gives a new value that the field's check accepts. The rates are stated beside each kind; they are the
demo's assumption, not a measurement of people.
"""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from examples.model import Bounds, FieldSpec

Item = dict[str, Any]
Slip = Callable[[Any, FieldSpec, Bounds, float, Random], Any]

READABLE_SHARE = 0.97
"""Share of a stated duration that is surely playable: headers of compressed audio promise up to 3 % more."""


def distort(value: Any, field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> Any:
    """Answer as someone would who knows the truth and errs.

    Args:
        value: The true value, in the API's wire shape; it is not changed.
        field: The project's field.
        bounds: Of the asset that the field is about.
        error: 0.0 gives a nearly exact answer (borders still tremble), 1.0 a very bad one.
        rng: The source of chance.

    Raises:
        KeyError: The field's kind is not one of the nine that the demo uses.
    """
    return _SLIPS[field.kind](value, field, bounds, error, rng)


def _choice(value: Any, field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> Any:
    """Another option with the probability of the error; of a multiple choice one option more or less."""
    if rng.random() >= error:
        return value
    if field.multiple:
        return sorted(set(value) ^ {rng.choice(field.options)})
    return _other(value, field.options, rng)


def _rating(value: float, field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> float:
    """A step up or down, half again as often as the error."""
    if rng.random() >= 1.5 * error:
        return value
    return min(max(value + rng.choice((-field.step, field.step)), field.minimum), field.maximum)


def _ranking(value: Sequence[Sequence[str]], field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> Any:
    """Two neighbouring tiers swapped, or a tie broken, with the probability of the error."""
    tiers = [sorted(tier) for tier in value]
    if rng.random() >= error:
        return tiers
    if len(tiers) == 1:
        return [[candidate] for candidate in rng.sample(tiers[0], len(tiers[0]))]
    place = rng.randrange(len(tiers) - 1)
    tiers[place], tiers[place + 1] = tiers[place + 1], tiers[place]
    return tiers


def _text(value: Mapping[str, str], field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> Item:
    return {**value, "text": misspelled(value["text"], error, rng)}


def misspelled(text: str, error: float, rng: Random) -> str:
    """Lose or double a letter in three of ten words, times the error; characters count as words where nothing parts them."""
    separator = " " if " " in text else ""
    words = text.split(separator) if separator else list(text)
    return separator.join(_misspelled_word(word, rng) if rng.random() < 0.3 * error else word for word in words)


def _misspelled_word(word: str, rng: Random) -> str:
    if not word:
        return word
    place = rng.randrange(len(word))
    if len(word) > 1 and rng.random() < 0.5:
        return word[:place] + word[place + 1 :]
    return word[:place] + word[place] + word[place:]


def _record(value: Mapping[str, Any], field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> Item:
    """A flag flipped or another value of an enumeration, each with six tenths of the error."""
    properties = field.record_schema.get("properties", {})
    return {
        name: _other_value(known, properties.get(name, {}), rng) if rng.random() < 0.6 * error else known
        for name, known in value.items()
    }


def _other_value(value: Any, schema: Mapping[str, Any], rng: Random) -> Any:
    if "enum" in schema:
        return _other(value, schema["enum"], rng)
    return not value if isinstance(value, bool) else value


def _spans(value: Sequence[Item], field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> list[Item]:
    """Spans missed (0.4 of the error), slipped by up to three characters (0.6), mislabeled (0.5) or invented (0.4)."""
    length = bounds.length or 0
    spans: list[Item] = []
    for known in value:
        if rng.random() < 0.4 * error:
            continue
        start, end = known["start"], known["end"]
        if rng.random() < 0.6 * error:
            start = min(max(start + rng.randint(-3, 3), 0), end - 1)
        if rng.random() < 0.6 * error:
            end = min(max(end + rng.randint(-3, 3), start + 1), length)
        spans.append({"start": start, "end": end, "label": _relabeled(known["label"], field, 0.5 * error, rng)})
    if length > 1 and rng.random() < 0.4 * error:
        start = rng.randrange(length - 1)
        spans.append(
            {"start": start, "end": rng.randint(start + 1, min(start + 8, length)), "label": rng.choice(field.labels)}
        )
    return _numbered(spans)


def _regions(value: Sequence[Item], field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> list[Item]:
    """Edges tremble by 1 % of the size plus 0.12 times the error; regions missed and mislabeled (0.4), invented (0.3)."""
    width, height = bounds.width or 1, bounds.height or 1
    regions: list[Item] = []
    for known in value:
        if rng.random() < 0.4 * error:
            continue
        shape = _trembled_polygon if known["shape"] == "polygon" else _trembled_box
        drawn = shape(known, width, height, 0.01 + 0.12 * error, rng)
        regions.append({**drawn, "label": _relabeled(known["label"], field, 0.4 * error, rng)})
    if rng.random() < 0.3 * error:
        spurious = {"x": rng.uniform(0, 0.9) * width, "y": rng.uniform(0, 0.9) * height}
        size = {"width": 0.08 * width, "height": 0.08 * height}
        box = _trembled_box({"shape": "box", **spurious, **size}, width, height, 0.05, rng)
        regions.append({**box, "label": rng.choice(field.labels)})
    return _numbered(regions)


def _trembled_box(known: Mapping[str, Any], width: int, height: int, share: float, rng: Random) -> Item:
    left, right = _trembled_range(known["x"], known["x"] + known["width"], width, share, rng)
    top, bottom = _trembled_range(known["y"], known["y"] + known["height"], height, share, rng)
    sides = {"x": left, "y": top, "width": round(right - left, 3), "height": round(bottom - top, 3)}
    return {**known, **sides}


def _trembled_polygon(known: Mapping[str, Any], width: int, height: int, share: float, rng: Random) -> Item:
    """Moved and shrunk as a whole, so that its outline cannot cross itself or leave the picture."""
    xs, ys = zip(*known["points"], strict=True)
    shrink = 1 - abs(rng.gauss(0, share))
    across = _within(rng.gauss(0, share) * (max(xs) - min(xs)), -min(xs), width - max(xs))
    down = _within(rng.gauss(0, share) * (max(ys) - min(ys)), -min(ys), height - max(ys))
    middle = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    points = [
        [round(middle[0] + (x - middle[0]) * shrink + across, 2), round(middle[1] + (y - middle[1]) * shrink + down, 2)]
        for x, y in known["points"]
    ]
    return {**known, "points": points}


def _segments(value: Sequence[Item], field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> list[Item]:
    """Borders tremble by 2 % of the length plus 0.25 times the error; segments missed, invented (0.3), speakers mixed (0.4)."""
    ends = [known["end"] for known in value]
    limit = max([READABLE_SHARE * (bounds.duration or 0.0), *ends])
    speakers = sorted({known["speaker"] for known in value if "speaker" in known})
    segments: list[Item] = []
    for known in value:
        if len(value) > 1 and rng.random() < 0.3 * error:
            continue
        start, end = _trembled_range(known["start"], known["end"], limit, 0.02 + 0.25 * error, rng)
        heard = {**known, "start": start, "end": end, "label": _relabeled(known["label"], field, 0.3 * error, rng)}
        if len(speakers) > 1 and rng.random() < 0.4 * error:
            heard["speaker"] = _other(known["speaker"], speakers, rng)
        if "text" in known:
            heard["text"] = misspelled(known["text"], error, rng)
        segments.append(heard)
    if len(value) > 1 and rng.random() < 0.3 * error:
        start = round(rng.uniform(0, 0.9) * limit, 3)
        segments.append({**rng.choice(value), "start": start, "end": round(start + 0.05 * limit, 3)})
    return _numbered(segments)


def _tracks(value: Sequence[Item], field: FieldSpec, bounds: Bounds, error: float, rng: Random) -> list[Item]:
    """Boxes tremble as regions do; key frames left out (0.3 of the error), tracks mislabeled (0.2), none missed."""
    width, height = bounds.width or 1, bounds.height or 1
    tracks: list[Item] = []
    for known in value:
        first, *between, last = known["keyframes"]
        kept = [first, *(key for key in between if rng.random() >= 0.3 * error), last]
        drawn = [_trembled_box(key, width, height, 0.01 + 0.12 * error, rng) for key in kept]
        tracks.append({"label": _relabeled(known["label"], field, 0.2 * error, rng), "keyframes": drawn})
    return _numbered(tracks)


def _trembled_range(start: float, end: float, limit: float, share: float, rng: Random) -> tuple[float, float]:
    """Both borders moved by a normal distance, in order, inside 0..limit, and at least a tenth of the length apart."""
    length = end - start
    first = _within(start + rng.gauss(0, share) * length, 0.0, limit - 0.1 * length)
    second = _within(end + rng.gauss(0, share) * length, first + 0.1 * length, limit)
    return round(first, 3), round(second, 3)


def _within(number: float, least: float, most: float) -> float:
    return min(max(number, least), most)


def _other(value: Any, options: Sequence[Any], rng: Random) -> Any:
    others = [option for option in options if option != value]
    return rng.choice(others) if others else value


def _relabeled(label: str, field: FieldSpec, probability: float, rng: Random) -> str:
    return str(_other(label, field.labels, rng)) if rng.random() < probability else label


def _numbered(items: Sequence[Item]) -> list[Item]:
    """Items with ids of their own: an annotator does not know the ids of the truth."""
    return [{**item, "id": f"i{number}"} for number, item in enumerate(items)]


_SLIPS: dict[str, Slip] = {
    "choice": _choice,
    "rating": _rating,
    "ranking": _ranking,
    "text": _text,
    "record": _record,
    "spans": _spans,
    "regions": _regions,
    "segments": _segments,
    "tracks": _tracks,
}
