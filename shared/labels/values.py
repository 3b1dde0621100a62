"""The scalars that specs and labels are made of, with the limits that keep them harmless."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AllowInfNan, BaseModel, ConfigDict, Field, Strict, StrictBool, StringConstraints

DECIMALS = 6
"""Digits after the point that coordinates, times and ratings keep: a micrometre of a pixel, a microsecond."""
TOLERANCE = 1e-3
"""How far, in pixels or seconds, a label may reach over its asset's edge: rounding in clients and containers."""
MAX_COORDINATE = 1e9
"""Pixels or seconds; beyond it a double no longer holds ``DECIMALS`` digits."""

NAME_PATTERN = r"^[a-z][a-z0-9_]{0,63}$"
ITEM_ID_PATTERN = r"^[A-Za-z0-9_.:-]{1,64}$"
IDENTIFIER_PATTERN = r"^[a-z0-9][a-z0-9-]{0,99}$"
LABEL_ID_PATTERN = r"^[a-z0-9][a-z0-9_.-]{0,63}$"
TAXONOMY_ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
LANGUAGE_PATTERN = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
TIME_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
MEDIA_PATTERN = r"^(https://[!-~]+|/v1/samples/[!-~]+/assets/[a-z][a-z0-9_]{0,63})$"
MEANINGS: Mapping[str, str] = {
    NAME_PATTERN: "a name of 1 to 64 lower-case letters, digits and underscores that starts with a letter",
    ITEM_ID_PATTERN: "an id of 1 to 64 letters, digits and _ . : -",
    IDENTIFIER_PATTERN: "an id of 1 to 100 lower-case letters, digits and hyphens",
    MEDIA_PATTERN: "an https address or a path such as /v1/samples/<id>/assets/<slot>",
    TIME_PATTERN: 'a time of day in quotes, such as "08:30"',
    LABEL_ID_PATTERN: "an id of 1 to 64 lower-case letters, digits and _ . -",
    TAXONOMY_ID_PATTERN: "an id of 1 to 63 lower-case letters, digits and hyphens",
    LANGUAGE_PATTERN: "a BCP 47 language tag such as en or pt-BR",
}
"""What the patterns ask for, in words."""


def rounded(number: float) -> float:
    """Round to ``DECIMALS`` digits; negative zero becomes zero, for equal labels have equal bytes."""
    return round(number, DECIMALS) + 0.0


def normalized(text: str) -> str:
    """Bring text to Unicode's NFC with line feeds as line ends, so that equal text has equal bytes."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def has_lone_surrogate(text: str) -> bool:
    """Tell whether a string holds half a surrogate pair, which UTF-8 cannot carry."""
    if text.isascii():
        return False
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _encodable(text: str) -> str:
    if has_lone_surrogate(text) or "\x00" in text:
        raise ValueError("holds half a character (a lone surrogate) or a NUL; send valid Unicode text")
    return text


def _trimmed(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("starts or ends with white space or holds a control character; remove it")
    return text


def canonical_language(tag: str) -> str:
    """Spell a language tag as RFC 5646 section 2.1.1 recommends: ``zh-hant-tw`` is ``zh-Hant-TW``.

    Args:
        tag: A well-formed tag, in any case.

    Returns:
        Language in lower case, script in title case, region in upper case, the rest in lower case.
    """
    language, *subtags = tag.split("-")
    spelled = [language.lower()]
    for subtag in subtags:
        if len(spelled[-1]) == 1:  # after a singleton (x-, u-) nothing is a region or a script
            spelled.append(subtag.lower())
        elif len(subtag) == 2:
            spelled.append(subtag.upper())
        else:
            spelled.append(subtag.title() if len(subtag) == 4 and subtag.isalpha() else subtag.lower())
    return "-".join(spelled)


# Narrow these with Annotated alone: bounds in a field's default, ``x: Number = Field(ge=0)``, are overruled by theirs.
Number = Annotated[float, Strict(), AllowInfNan(False), Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
"""A finite number; ``True`` is not one."""
Coordinate = Annotated[float, Strict(), AllowInfNan(False), Field(ge=0, le=MAX_COORDINATE)]
"""Pixels or seconds from the asset's corner or start."""
Extent = Annotated[float, Strict(), AllowInfNan(False), Field(gt=0, le=MAX_COORDINATE)]
"""Pixels or seconds that something takes up."""
Count = Annotated[int, Strict(), Field(ge=0, le=2**53 - 1)]
Flag = StrictBool
Prose = Annotated[str, Strict(), AfterValidator(_encodable)]
"""Text of any length; give it a limit of its own."""
Label = Annotated[str, Strict(), StringConstraints(min_length=1, max_length=200), AfterValidator(_trimmed)]
"""The name of an option, a label, an attribute's value."""
Name = Annotated[str, Strict(), StringConstraints(pattern=NAME_PATTERN)]
"""The name of a field or an asset: also an identifier in rules."""
ItemId = Annotated[str, Strict(), StringConstraints(pattern=ITEM_ID_PATTERN)]
"""Chosen by the client, unique within its field."""
LanguageTag = Annotated[
    str,
    Strict(),
    StringConstraints(pattern=LANGUAGE_PATTERN, max_length=35),
    AfterValidator(canonical_language),
]
"""BCP 47, in its usual spelling (``pt-BR``, ``zh-Hant``)."""


class Frozen(BaseModel):
    """A value that never changes and has no keys but its own."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
        ser_json_inf_nan="null",
    )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy as pydantic does, but without what ``cached_property`` has derived from the old values."""
        copied = super().model_copy(update=update, deep=deep)
        for name in set(copied.__dict__) - set(type(self).model_fields):
            del copied.__dict__[name]
        return copied
