"""Free text with its language: answers, corrections, captions."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from shared.labels.facts import AssetFacts
from shared.labels.faults import Fault, listed, quoted, suggestion
from shared.labels.kinds.kind import Checked, FieldOptions, JsonSchema, Kind, Problem, checked, refused, shape_problems
from shared.labels.values import Count, Frozen, LanguageTag, Prose, normalized

MAX_CHARS = 100_000


class TextOptions(FieldOptions):
    """Options of a text."""

    kind: Literal["text"]
    min_chars: Count = Field(1, description="Fewest code points.")
    max_chars: Annotated[Count, Field(le=MAX_CHARS)] = Field(20_000, description="Most code points.")
    languages: tuple[LanguageTag, ...] = Field((), description="Allowed languages; then a text must name its own.")

    def faults(self) -> list[Fault]:
        """Find bounds that no text can keep."""
        if self.min_chars <= self.max_chars:
            return []
        message = f"max_chars is {self.max_chars}, less than min_chars {self.min_chars}; swap or drop one."
        return [Fault(pointer="/max_chars", code="out-of-range", message=message)]


class TextValue(Frozen):
    """A text as annotators send it."""

    text: Prose
    """Any text; white space at its ends is kept."""
    language: LanguageTag = ""
    """A BCP 47 tag."""


def check_text(options: TextOptions, facts: AssetFacts | None, raw: object) -> Checked:
    """Check a text's length and language.

    Args:
        options: The field's options.
        facts: Not used; the text is the annotator's own.
        raw: ``{"text", "language"?}``; lengths count code points after normalization.

    Returns:
        The text in Unicode's NFC with line feeds as line ends, and the language in its usual spelling.
    """
    if not isinstance(raw, dict):
        return refused("wrong-type", f'The value must be an object like {{"text": "..."}}, not {quoted(raw)}.')
    # Bounded before it is normalized: that costs time, and normalization shrinks no text to less than a quarter.
    if isinstance(raw.get("text"), str) and len(raw["text"]) > 4 * options.max_chars:
        return refused("too-long", f"The text is longer than {options.max_chars} characters.", "/text")
    try:
        value = TextValue.model_validate(raw)
    except ValidationError as error:
        return checked(None, [_fault(problem) for problem in shape_problems(error, TextValue)])
    text = normalized(value.text)
    problems = list(_problems(options, text, value.language))
    if problems:
        return checked(None, [_fault(problem) for problem in problems])
    form: dict[str, Any] = {"text": text}
    if value.language:
        form["language"] = value.language
    return Checked(form)


def text_schema(options: TextOptions) -> JsonSchema:
    """Describe the value as JSON Schema."""
    language: JsonSchema = (
        {"enum": list(options.languages)} if options.languages else {"type": "string", "maxLength": 35}
    )
    return {
        "type": "object",
        "properties": {
            "text": {"type": "string", "minLength": options.min_chars, "maxLength": options.max_chars},
            "language": language,
        },
        "required": ["text", "language"] if options.languages else ["text"],
        "additionalProperties": False,
    }


def _problems(options: TextOptions, text: str, language: str) -> list[Problem]:
    problems = []
    if len(text) > options.max_chars:
        message = f"The text has {len(text)} characters; at most {options.max_chars} are allowed."
        problems.append(Problem("/text", "too-long", message))
    if len(text) < options.min_chars:
        message = f"The text has {len(text)} characters; at least {options.min_chars} are needed."
        problems.append(Problem("/text", "too-short", message))
    if options.languages and not language:
        message = f"The text needs its language, one of: {listed(options.languages)}."
        problems.append(Problem("/language", "missing", message))
    elif options.languages and language not in options.languages:
        message = f"{quoted(language)} is not a language of this field; {suggestion(language, options.languages)}"
        problems.append(Problem("/language", "unknown-language", message))
    return problems


def _fault(problem: Problem) -> Fault:
    return Fault(pointer=problem.path, code=problem.code, message=problem.message)


TEXT = Kind(name="text", options=TextOptions, check=check_text, json_schema=text_schema)
