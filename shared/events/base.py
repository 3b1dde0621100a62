"""What every event has, how it is written to Kafka, and how it is read back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import UndecodableEventError
from shared.ids import derived_id

Headers = list[tuple[str, bytes]]


class Event(BaseModel):
    """A fact, in the past tense: ids and values only.

    Readers skip fields that they do not know. A subclass names its topic, who produces it and who consumes it
    (service names), and the field that is its Kafka key.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: ClassVar[str]
    producers: ClassVar[frozenset[str]]
    consumers: ClassVar[frozenset[str]]
    key_field: ClassVar[str] = "sample_id"
    compacted: ClassVar[bool] = False
    broker_stamped: ClassVar[bool] = False
    """Whether the topic uses ``LogAppendTime``, so that the broker's clock alone decides."""
    leaves_out_none: ClassVar[bool] = False
    """Whether what is None, and is so by default, is not written: of facts that are mostly None, a third of the bytes."""

    event_id: str
    tenant_id: str
    occurred_at: datetime
    request_id: str = ""
    traceparent: str = Field("", exclude=True)
    """W3C trace context; travels in the headers."""
    appended_at_ms: int = Field(0, exclude=True)
    """The record's timestamp in milliseconds since 1970; filled in by the reader."""
    log_partition: int = Field(-1, exclude=True)
    """The partition that the record was read from; filled in by the reader."""
    log_offset: int = Field(-1, exclude=True)
    """The record's offset in its partition; filled in by the reader."""

    void: bool = Field(False, exclude=True)
    """Its reader has found that nothing is to come of it; it is passed over."""

    @cached_property
    def json_body(self) -> bytes:
        """The event as JSON, as it stands in a record; made once, for an event is also kept until it is announced."""
        return self.model_dump_json(exclude_none=self.leaves_out_none).encode()

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, some fields of which may differ."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("json_body", None)
        return copied

    @property
    def key(self) -> str:
        """The Kafka key: all that happens to one aggregate arrives in order."""
        return str(getattr(self, self.key_field))

    @property
    def target_partition(self) -> int | None:
        """The partition to write to, for marks that a partition needs; None where the key decides."""
        return None

    def without_content(self) -> Self:
        """Return the event without what it quotes of a sample: what is left of it once the sample is erased."""
        return self

    @classmethod
    def name(cls) -> str:
        """Return the event's type as it stands in ``ce_type``."""
        return cls.__name__

    @classmethod
    def id_from(cls, cause_id: str, key: str, part: str = "") -> str:
        """Return the id of the event of this type and key that follows from a cause; see ``caused_by``."""
        return derived_id(cause_id, cls.name(), key, part)

    @classmethod
    def caused_by(cls, cause: Event, *, part: str = "", **values: Any) -> Self:
        """Make the event that follows from ``cause``.

        Its id is derived from the cause's id, so that a redelivered cause announces the same event again.

        Args:
            cause: The event that led to this one; gives tenant, time, request and trace.
            part: Tells apart several events of this type and key that one cause leads to.
            **values: The fields of this event.
        """
        inherited = {
            "tenant_id": cause.tenant_id,
            "occurred_at": cause.occurred_at,
            "request_id": cause.request_id,
            "traceparent": cause.traceparent,
        }
        key = str(values.get(cls.key_field, ""))
        return cls(event_id=cls.id_from(cause.event_id, key, part), **(inherited | values))


def encode(event: Event, source: str) -> tuple[bytes, Headers]:
    """Return an event's JSON body and its CloudEvents 1.0 binary-mode headers (Kafka protocol binding)."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.event_id.encode()),
        ("ce_type", event.name().encode()),
        ("ce_source", f"/labelmesh/{source}".encode()),
        ("ce_time", event.occurred_at.isoformat().encode()),
        ("ce_subject", event.key.encode()),
        ("content-type", b"application/json"),
    ]
    if event.traceparent:
        headers.append(("traceparent", event.traceparent.encode()))
    return event.json_body, headers


def decode(
    types: dict[str, type[Event]],
    value: bytes | None,
    headers: Headers,
    appended_at_ms: int,
    place: Mapping[str, int] = MappingProxyType({}),
) -> Event | None:
    """Read one record.

    Args:
        types: The event types that the caller reads, by name.
        value: The record's body.
        headers: The record's headers.
        appended_at_ms: The record's timestamp.
        place: ``log_partition`` and ``log_offset`` of the record, where the reader knows them.

    Returns:
        The event, or None when the record is of a type that the caller does not read.

    Raises:
        UndecodableEventError: The record has no type, or its body is not in the type's shape.
    """
    found = dict(headers)
    name = found.get("ce_type", b"").decode("utf-8", "replace")
    if not name:
        raise UndecodableEventError("The record has no ce_type header; produce it as a CloudEvent in binary mode.")
    if (kind := types.get(name)) is None:
        return None
    try:
        event = kind.model_validate_json(value or b"")
    except ValidationError as error:
        raise UndecodableEventError(f"The record is no {name}: {error.errors(include_url=False)}") from error
    trace = found.get("traceparent", b"").decode("ascii", "replace")
    # Put in, for nobody else has the event yet; a copy takes as long as the reading.
    event.__dict__.update(appended_at_ms=appended_at_ms, traceparent=trace, **place)
    return event
