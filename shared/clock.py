"""The time, as an argument: a test passes a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time with its zone, UTC."""
    return datetime.now(UTC)


def to_ms(moment: datetime) -> int:
    """Return ``moment`` as milliseconds since 1970 (Kafka's and the store's resolution)."""
    return round(moment.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """Return the UTC time of ``milliseconds`` since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
