"""A rule as a project states it, and what it says to people in their language."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from shared.labels.canonical import content_hash
from shared.labels.values import IDENTIFIER_PATTERN, Frozen, LanguageTag, Prose

MAX_RULE_CHARS = 2_000
MAX_MESSAGE_CHARS = 1_000
MAX_TAG_CHARS = 35
"""Of a language tag that somebody asks for; RFC 5646 section 4.4.1 holds longer ones to be of no use."""
MAX_MARKS = 20
"""Expressions of one rule that say what to mark."""

RuleText = Annotated[Prose, Field(min_length=1, max_length=MAX_RULE_CHARS)]
Message = Annotated[Prose, Field(min_length=1, max_length=MAX_MESSAGE_CHARS)]
Messages = Annotated[
    Annotated[Message, Tag("text")]
    | Annotated[Mapping[LanguageTag, Message], Tag("languages"), Field(min_length=1, max_length=100)],
    Discriminator(lambda given: "languages" if isinstance(given, Mapping) else "text"),
]
"""One text for everybody, or one per language (BCP 47)."""


class Rule(Frozen):
    """A condition over several fields, assets and the sample's metadata that an answer should meet."""

    id: Annotated[str, Field(pattern=IDENTIFIER_PATTERN)]
    expression: RuleText = Field(description="CEL over `fields`, `assets` and `metadata`; true when the rule is met.")
    severity: Literal["block", "warn"] = "warn"
    message: Messages = Field(
        description="What the annotator reads when it is not met: a text, or texts by BCP 47 language."
    )
    marks: tuple[RuleText, ...] = Field(
        (),
        max_length=MAX_MARKS,
        description="What is at fault then: fields (`fields.tone`), or CEL that yields items of fields. "
        "By default every field that the rule is about.",
    )

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the rule's content hash: equal rules say equal things."""
        return content_hash(self.model_dump(mode="json"))[:16]

    def message_in(self, languages: Iterable[str], fallback: Sequence[str] = ()) -> str:
        """Choose the message that somebody reads best.

        Args:
            languages: BCP 47 tags, the most wanted first.
            fallback: The project's languages, tried after those and before English.

        Returns:
            The message of the first language that there is one for, where ``pt-BR`` also finds ``pt``; the first
            message of the rule when there is none.

        Source: RFC 4647, section 3.4 (lookup).
        """
        if isinstance(self.message, str):
            return self.message
        known = {tag.lower(): text for tag, text in self.message.items()}
        for language in (*languages, *fallback, "en"):
            subtags = language[:MAX_TAG_CHARS].lower().split("-")
            while subtags:
                if (text := known.get("-".join(subtags))) is not None:
                    return text
                subtags.pop()
        return next(iter(self.message.values()))
