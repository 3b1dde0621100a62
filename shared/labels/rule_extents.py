"""What an item takes up, in time, text or area, so that items of different fields and assets can be compared."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from shared.labels.facts import AssetFacts, Clock
from shared.labels.geometry import covered_share, region_iou, segment_iou, span_iou
from shared.labels.spec import ProjectSpec
from shared.labels.values import TOLERANCE

Item = Mapping[str, Any]


class Time(NamedTuple):
    """A range of seconds on the sample's common clock; a point in time has equal ends."""

    start: float
    end: float


class Chars(NamedTuple):
    """A range of code points of a text, ``end`` exclusive."""

    asset: str | None
    start: int
    end: int


class Area(NamedTuple):
    """A shape in pixels of an image or video."""

    asset: str | None
    shape: Item


Extent = Time | Chars | Area


class IncomparableError(ValueError):
    """A rule asks for the extent of something that has none."""


class Timeline:
    """The common clock of one sample: what its assets' own times are on it."""

    def __init__(self, spec: ProjectSpec, facts: Mapping[str, AssetFacts]) -> None:
        """Take what the sample says of an asset's clock, else what the project says, else that all start together."""
        self._spec = spec
        self._facts = facts

    def clock(self, slot: str) -> Clock:
        """Return how an asset's time runs on the common clock."""
        facts, asset = self._facts.get(slot), self._spec.assets.get(slot)
        given = None if facts is None else facts.clock
        return given or (None if asset is None else asset.clock) or Clock()

    def common(self, thing: Item, seconds: float) -> float:
        """Return a time of the asset that an item or an asset is of, on the common clock, in seconds."""
        slot = thing.get("asset")
        return self.clock(slot).common(seconds) if isinstance(slot, str) else seconds

    def extent(self, thing: object) -> Extent:
        """Find what an item of a field, an asset, or a range that a rule writes itself takes up.

        Args:
            thing: A span, segment, moment, track or region; an asset, for all of it; or ``{"start", "end"}`` in
                seconds of the common clock.

        Returns:
            Its extent. A track takes the time from its first to its last key frame.

        Raises:
            IncomparableError: It takes up nothing that is known.
        """
        if not isinstance(thing, Mapping):
            raise IncomparableError(f"{thing!r:.60} is neither an item nor an asset")
        if "modality" in thing:
            return self._of_asset(thing)
        options = self._spec.fields.get(str(thing.get("field", "")))
        slot = thing.get("asset")
        if "keyframes" in thing:
            rate, frames = self._frame_rate(slot), [each["frame"] for each in thing["keyframes"]]
            return Time(self.common(thing, frames[0] / rate), self.common(thing, frames[-1] / rate))
        if options is not None and options.kind == "spans":
            return Chars(slot, thing["start"], thing["end"])
        if "start" in thing and "end" in thing:
            return Time(self.common(thing, thing["start"]), self.common(thing, thing["end"]))
        if "time" in thing:
            moment = self.common(thing, thing["time"])
            return Time(moment, moment)
        if "points" in thing or "width" in thing or "shape" in thing:
            return Area(slot, thing)
        raise IncomparableError("an item without time, characters or shape cannot be compared")

    def _of_asset(self, asset: Item) -> Extent:
        if asset.get("duration") is not None:
            return Time(self.common(asset, 0.0), self.common(asset, asset["duration"]))
        if asset.get("text_length") is not None:
            return Chars(asset["asset"], 0, asset["text_length"])
        if asset.get("width") is not None and asset.get("height") is not None:
            whole = {"shape": "box", "x": 0.0, "y": 0.0, "width": asset["width"], "height": asset["height"]}
            return Area(asset["asset"], whole)
        raise IncomparableError(f"the asset {asset['asset']} has neither duration, text nor size")

    def _frame_rate(self, slot: object) -> float:
        facts = self._facts.get(slot) if isinstance(slot, str) else None
        if facts is not None and facts.frame_rate:
            return facts.frame_rate
        if facts is not None and facts.frames and facts.duration:
            return facts.frames / facts.duration
        raise IncomparableError(f"the asset {slot} has no known frame rate")


def share(a: Extent, b: Extent) -> float:
    """Intersection over union of two extents.

    Args:
        a: Any extent.
        b: Any extent.

    Returns:
        From 0.0 to 1.0; 0.0 for extents of different natures, and for texts or pictures of different assets.
    """
    if isinstance(a, Time) and isinstance(b, Time):
        return segment_iou(a._asdict(), b._asdict())
    if isinstance(a, Chars) and isinstance(b, Chars):
        return span_iou(a._asdict(), b._asdict()) if _same_asset(a, b) else 0.0
    if isinstance(a, Area) and isinstance(b, Area):
        return region_iou(a.shape, b.shape) if _same_asset(a, b) else 0.0
    return 0.0


def meets(a: Extent, b: Extent) -> bool:
    """Tell whether two extents share anything; a point in time does so with a range that it lies in."""
    if isinstance(a, Time) and isinstance(b, Time) and (a.start == a.end or b.start == b.end):
        return max(a.start, b.start) <= min(a.end, b.end)
    return share(a, b) > 0.0


def lies_within(a: Extent, b: Extent) -> bool:
    """Tell whether all of ``a`` lies in ``b``; times may reach over by a thousandth of a second, areas by a millionth."""
    if isinstance(a, Time) and isinstance(b, Time):
        return a.start >= b.start - TOLERANCE and a.end <= b.end + TOLERANCE
    if isinstance(a, Chars) and isinstance(b, Chars):
        return _same_asset(a, b) and a.start >= b.start and a.end <= b.end
    if isinstance(a, Area) and isinstance(b, Area):
        return _same_asset(a, b) and covered_share(a.shape, b.shape) >= 1.0 - 1e-6
    return False


def _same_asset(a: Chars | Area, b: Chars | Area) -> bool:
    return a.asset is None or b.asset is None or a.asset == b.asset
