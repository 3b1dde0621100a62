"""What annotators read before they label: Markdown per modality or field, with examples of right and wrong."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError

from shared.labels.values import MEDIA_PATTERN, Frozen, Name, Prose

MAX_GUIDELINE_CHARS = 100_000
MAX_EXAMPLES = 200


class GuidelineExample(Frozen):
    """One case, and whether to label so."""

    verdict: Literal["positive", "negative"] = Field(description="positive: do so. negative: do not.")
    shows: Prose = Field(min_length=1, max_length=5_000, description="The case and its label, in Markdown.")
    why: Prose = Field("", max_length=5_000, description="What decides it, in Markdown.")
    media: Annotated[str, Field(pattern=MEDIA_PATTERN, max_length=2_000)] | None = Field(
        None, description="Where to see or hear it: an https address, or the path of a sample's asset in this API."
    )


class Guideline(Frozen):
    """How to label one modality or field."""

    text: Prose = Field(min_length=1, max_length=MAX_GUIDELINE_CHARS, description="Markdown.")
    examples: tuple[GuidelineExample, ...] = Field((), max_length=MAX_EXAMPLES)


def _as_guideline(given: Any) -> Any:
    return {"text": given} if isinstance(given, str) else given


AnyGuideline = Annotated[Guideline, BeforeValidator(_as_guideline)]
"""A guideline as a spec may give it: a text alone is one without examples of its own."""
Guidelines = Mapping[Name, AnyGuideline]
"""By modality or field."""

_GUIDELINES: TypeAdapter[Guidelines] = TypeAdapter(Guidelines)


def are_same(left: object, right: object) -> bool:
    """Tell whether two specs' guidelines say the same, however they are written down.

    Args:
        left: What stands at ``guidelines`` of one spec, as JSON values; None where nothing does.
        right: Of the other.
    """
    try:
        return _GUIDELINES.validate_python(left or {}) == _GUIDELINES.validate_python(right or {})
    except ValidationError:
        return left == right
