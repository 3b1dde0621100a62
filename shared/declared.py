"""What a client declared of a file before it uploaded it; it stands in the file's address, which is signed.

So whoever sees the object knows it, whatever comes first, and the client cannot change it with the bytes.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import NamedTuple

_SIZE, _SHA256, _TYPE = "size-", "sha256-", "type-"


class Declared(NamedTuple):
    """What was declared; None for what was not."""

    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    """64 hexadecimal digits, lower case."""
    media_type: str | None = None

    def segment(self) -> str:
        """Return it as a part of an object's name."""
        told = [
            None if self.size is None else f"{_SIZE}{self.size}",
            None if self.sha256 is None else f"{_SHA256}{self.sha256}",
            None if self.media_type is None else f"{_TYPE}{_packed(self.media_type)}",
        ]
        return ".".join(part for part in told if part is not None) or "undeclared"

    @classmethod
    def of(cls, object_name: str) -> Declared:
        """Return what an object's name says; nothing where it was not made for an upload of a client."""
        parts = object_name.split("/")
        told = parts[4].split(".") if len(parts) == 6 else []
        by_kind = {
            kind: part.removeprefix(kind) for part in told for kind in (_SIZE, _SHA256, _TYPE) if part.startswith(kind)
        }
        size, packed = by_kind.get(_SIZE), by_kind.get(_TYPE)
        return cls(
            None if size is None else int(size), by_kind.get(_SHA256), None if packed is None else _unpacked(packed)
        )


def _packed(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(packed: str) -> str:
    return urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
