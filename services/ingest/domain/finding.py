"""What a look at a file brings: facts for labels to be checked against, and previews for people."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.labels.facts import AssetFacts
from shared.labels.pii.model import PiiFinding

MEDIA_TYPES = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "application/json": "json",
    "application/octet-stream": "dat",
}
"""What previews are, and how their objects' names end."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True)
class Preview:
    """A small object made of a file, so that nobody has to fetch the file to get an idea of it.

    Attributes:
        name: What it is: ``thumbnail``, ``poster``, ``strip``, ``peaks``, ``frames``, ``page-1`` ...
        media_type: One of :data:`MEDIA_TYPES`.
        content: Its bytes.
    """

    name: str
    media_type: str
    content: bytes

    def __post_init__(self) -> None:
        """Refuse names and types that are none of ours: a preview may come from a process that a file has taken over."""
        if not _NAME.fullmatch(self.name) or self.media_type not in MEDIA_TYPES:
            raise ValueError(f"{self.name!r} of {self.media_type!r} is no preview of ours")

    @property
    def filename(self) -> str:
        """The last part of its object's name."""
        return f"{self.name}.{MEDIA_TYPES[self.media_type]}"


@dataclass(frozen=True)
class Finding:
    """The facts of a file, its previews, and the personal data in it.

    Attributes:
        facts: What labels are checked against; of a masked text, those of the masked one.
        previews: Made of the file.
        pii: Where personal data stands in it, with pointers into the asset.
        is_masked: The facts are of a text in which something was masked.
        sha256: Of the file as it came.
    """

    facts: AssetFacts
    previews: Sequence[Preview] = ()
    pii: Sequence[PiiFinding] = ()
    is_masked: bool = False
    sha256: str = ""

    def with_facts(self, **found: Any) -> Finding:
        """Return the same with further facts."""
        return replace(self, facts=self.facts.model_copy(update=found))
