"""Character ranges with labels: entities, clauses, hallucinated passages."""

from typing import Any, Literal

from pydantic import Field

from shared.labels.facts import AssetFacts
from shared.labels.faults import quoted
from shared.labels.graphemes import splits_grapheme
from shared.labels.kinds.items import Item, LabeledOptions, check_items, refuse_overlaps
from shared.labels.kinds.kind import Checked, JsonSchema, Kind, Problem
from shared.labels.kinds.schemas import ITEM_ID, items_schema
from shared.labels.values import Count, Flag, Name

MAX_SPANS = 5_000


class SpansOptions(LabeledOptions):
    """Options of spans."""

    kind: Literal["spans"]
    asset: Name = Field(description="The text asset whose characters are counted.")
    overlapping: Flag = Field(True, description="Spans may share characters.")


class Span(Item):
    """A range of code points of the normalized text, ``end`` exclusive."""

    start: Count
    """Of its first code point."""
    end: Count
    """Of the first code point after it."""


def check_spans(options: SpansOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check that spans lie in the text, split no character as readers see it, and carry known labels.

    Args:
        options: The field's options.
        facts: Facts of the text asset; without a known length, or text, borders are not checked against it.
        raw: ``[{"id", "start", "end", "label"}]`` in Unicode code points, end exclusive.

    Returns:
        The spans sorted by start, end, label and id.
    """
    length, text = (None, None) if facts is None else (facts.text_length, facts.text)

    def canonical(span: Span) -> tuple[tuple[Any, ...], dict[str, Any], list[Problem]]:
        form = {"id": span.id, "start": span.start, "end": span.end, "label": span.label}
        return (span.start, span.end), form, _problems(span, length, text)

    spans = check_items(raw, options, limit=MAX_SPANS, of="spans", model_of=lambda _: Span, canonical=canonical)
    return spans if options.overlapping or spans.faults else refuse_overlaps(spans.value)


def spans_schema(options: SpansOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    offset: JsonSchema = {"type": "integer", "minimum": 0}
    properties = {"id": ITEM_ID, "start": offset, "end": offset, "label": {"enum": list(options.labels)}}
    return items_schema(options, properties, required=list(properties), limit=MAX_SPANS)


def _problems(span: Span, length: int | None, text: str | None) -> list[Problem]:
    problems = []
    if span.start >= span.end:
        message = f"start {span.start} must be less than end {span.end}, which is exclusive."
        problems.append(Problem("/end", "empty-span", message))
    if length is not None and span.end > length:
        message = f"end {span.end} is after the end of the text, which has {length} code points."
        problems.append(Problem("/end", "outside-asset", message))
    if text is not None and not problems:
        for border in ("start", "end"):
            problems.extend(_grapheme_problems(border, getattr(span, border), text))
    return problems


def _grapheme_problems(border: str, offset: int, text: str) -> list[Problem]:
    cut = splits_grapheme(text, offset)
    if cut is None:
        return []
    first, last = cut
    shown = quoted(text[first:last])
    message = f"{border} {offset} is inside the character {shown}, which goes from {first} to {last}; use one of these."
    return [Problem(f"/{border}", "splits-grapheme", message)]


SPANS = Kind(
    name="spans",
    options=SpansOptions,
    check=check_spans,
    json_schema=spans_schema,
    modalities=frozenset({"text"}),
)
