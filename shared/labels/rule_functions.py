"""What rules may call beside the core of CEL, bound to one answer so that the functions know its assets and clocks.

``duration`` is CEL's own for text (``duration("90s")``) and ours for items and assets: the library takes its own
function where the argument fits and falls back on ours, so the two never meet.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from cel.stdlib import STDLIB_FUNCTIONS

from shared.labels.facts import AssetFacts
from shared.labels.rule_extents import IncomparableError, Time, Timeline, lies_within, meets, share
from shared.labels.spec import ProjectSpec

MAX_COST = 100_000
"""What the calls of one rule may cost: 1 each, and more for long texts and many-cornered shapes; some 0.3 s."""

_TEXT_FUNCTIONS = ("lowerAscii", "upperAscii", "trim")
_NUMBER_FUNCTIONS = ("min", "max", "sum")
_ANSWER_OF_A_FAULT: Mapping[str, Any] = {
    "overlaps": False,
    "within": False,
    "same_label": False,
    "linked": False,
    "iou": 0.0,
    "duration": 0.0,
    "at": 0.0,
    "chars": 0,
    "text_of": "",
    **dict.fromkeys(_TEXT_FUNCTIONS, ""),
    **dict.fromkeys(_NUMBER_FUNCTIONS, 0),
}
FUNCTION_NAMES = frozenset(_ANSWER_OF_A_FAULT)

End = tuple[str, str]
"""The field and the id of an item."""


def same_label(a: Any, b: Any) -> bool:
    """Tell whether two items, or an item and a choice, carry the same label.

    Args:
        a: An item with a ``label``, or an option itself.
        b: As ``a``.

    Returns:
        Whether both have one and it is the same.
    """
    labels = [item.get("label") if isinstance(item, Mapping) else item for item in (a, b)]
    return labels[0] is not None and labels[0] == labels[1]


class RuleFunctions:
    """The functions for one run of one rule. None of them raises: the first fault is kept, and ends the run's worth.

    (The library would print what a function raises to the process's error stream, and let ``||`` swallow it.)
    """

    def __init__(self, spec: ProjectSpec, facts: Mapping[str, AssetFacts], fields: Mapping[str, Any]) -> None:
        self.fault: str | None = None
        """Why what the run gives means nothing."""
        self._cost = 0
        self._spec = spec
        self._facts = facts
        self._fields = fields
        self._time = Timeline(spec, facts)
        self._table: Mapping[str, Callable[..., Any]] = {
            "overlaps": self._overlaps,
            "within": self._within,
            "iou": self._iou,
            "duration": self._duration,
            "same_label": same_label,
            "linked": self._linked,
            "text_of": self._text_of,
            "at": self._at,
            "chars": _chars,
            **{name: STDLIB_FUNCTIONS[name] for name in (*_TEXT_FUNCTIONS, *_NUMBER_FUNCTIONS)},
        }

    def table(self, names: frozenset[str]) -> dict[str, Callable[..., Any]]:
        """Return the functions of these names as CEL calls them."""
        return {name: self._guarded(name, self._table[name]) for name in names}

    def _guarded(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            if self.fault is None:
                self._cost += 1 + sum(_weight(each) for each in arguments)
                if self._cost > MAX_COST:
                    self.fault = f"Its calls cost more than {MAX_COST} on this answer; split the rule."
            if self.fault is None:
                try:
                    return function(*arguments)
                except IncomparableError as error:
                    self.fault = f"{name}: {error}."
                except Exception as error:  # a wrong number or type of arguments, said by Python
                    self.fault = f"{name} cannot take what it is given: {type(error).__name__}: {str(error)[:200]}."
            return _ANSWER_OF_A_FAULT[name]

        return call

    def _overlaps(self, a: Any, b: Any) -> bool:
        return meets(self._time.extent(a), self._time.extent(b))

    def _within(self, a: Any, b: Any) -> bool:
        return lies_within(self._time.extent(a), self._time.extent(b))

    def _iou(self, a: Any, b: Any) -> float:
        return share(self._time.extent(a), self._time.extent(b))

    def _linked(self, a: Any, b: Any, label: str | None = None) -> bool:
        """Tell whether a relation of the answer, in any direction, links two items; of one type where it is given."""
        links = self._links.get(frozenset({_end(a), _end(b)}), frozenset())
        return bool(links) if label is None else label in links

    @cached_property
    def _links(self) -> Mapping[frozenset[End], frozenset[str]]:
        """The types of the links between each two items."""
        links: dict[frozenset[End], set[str]] = {}
        for name, options in self._spec.fields.items():
            for link in self._fields.get(name, ()) if options.kind == "relations" else ():
                ends = frozenset((link[role]["field"], link[role]["id"]) for role in ("from", "to"))
                links.setdefault(ends, set()).add(link["label"])
        return {ends: frozenset(labels) for ends, labels in links.items()}

    def _duration(self, thing: Any) -> float:
        extent = self._time.extent(thing)
        if not isinstance(extent, Time):
            raise IncomparableError("only what has times has a duration")
        return extent.end - extent.start

    def _at(self, asset: Any, seconds: Any) -> float:
        if not isinstance(asset, Mapping) or "asset" not in asset:
            raise IncomparableError("its first argument must be an asset, as in assets.video, or an item about one")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float):
            raise IncomparableError(f"its second argument must be seconds, not {seconds!r:.60}")
        return self._time.common(asset, float(seconds))

    def _text_of(self, thing: Any) -> str:
        if isinstance(thing, str):
            return thing
        if not isinstance(thing, Mapping):
            raise IncomparableError(f"{thing!r:.60} has no text")
        if isinstance(own := thing.get("text"), str):
            return own
        facts = self._facts.get(str(thing.get("asset", "")))
        text = "" if facts is None or facts.text is None else facts.text
        if "modality" not in thing:
            text = text[thing["start"] : thing["end"]] if "start" in thing and "field" in thing else ""
        self._cost += len(text) // 1000
        return text


def _end(item: Any) -> End:
    if not isinstance(item, Mapping) or "field" not in item or "id" not in item:
        raise IncomparableError("only items of fields can be linked")
    return item["field"], item["id"]


def _chars(text: Any) -> int:
    if not isinstance(text, str):
        raise IncomparableError("it counts the characters of a text")
    return len(text)


def _weight(argument: Any) -> int:
    """Return what an argument adds to a call's cost: it is copied for each call, and shapes are cut against each other."""
    if isinstance(argument, str):
        return len(argument) // 1000
    if not isinstance(argument, Mapping):
        return 0
    listed = sum(len(value) for key in ("points", "keyframes") if isinstance(value := argument.get(key), list))
    return listed + len(str(argument.get("text", ""))) // 1000
