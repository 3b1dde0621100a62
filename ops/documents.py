"""``docs/events.md``, ``docs/asyncapi.json`` and ``docs/labels.md``, generated; CI fails when they are stale."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ops.label_page import LABELS_PAGE
from ops.label_page import render as render_labels
from ops.model_tables import body_of, table, told
from shared.events import EVENTS, SAMPLE_TOPICS, Event

EVENTS_PAGE = "events.md"
ASYNC_API = "asyncapi.json"

_HEAD = """# Events

Generated from the models in `shared/events/` by `make docs`; do not edit.

Every event is a CloudEvent 1.0 in Kafka's binary mode: its type is in the header `ce_type`, its body is JSON. A body
over 512 KiB travels as a claim check: the header `claim_check` names its object. Beside its own fields each event has
`event_id`, `tenant_id`, `occurred_at` and `request_id`. Topics keyed by sample have one partition count, so that all
that happens to a sample lands together. Readers pass over fields that they do not know.
"""
_SCHEMAS = "#/components/schemas/{model}"


def render() -> dict[str, str]:
    """Return the generated files by name."""
    parts = "".join(_part(model) for model in _parts())
    page = f"{_HEAD}{_topics()}{''.join(_section(event) for event in EVENTS)}\n# Parts of events\n{parts}"
    return {EVENTS_PAGE: page, ASYNC_API: _async_api(), LABELS_PAGE: render_labels()}


def write(folder: Path) -> list[str]:
    """Write what is stale or missing, and return the names of those files."""
    stale = check(folder)
    for name, text in render().items():
        if name in stale:
            (folder / name).write_text(text)
    return stale


def check(folder: Path) -> list[str]:
    """Return the names of the files that are stale or missing."""
    return [
        name for name, text in render().items() if not (folder / name).is_file() or (folder / name).read_text() != text
    ]


def _topics() -> str:
    lines = "\n".join(
        f"| `{topic}` | {', '.join(f'[{event.name()}](#{event.name().lower()})' for event in events)} |"
        for topic, events in sorted(_by_topic().items())
    )
    return f"\n| topic | events |\n|---|---|\n{lines}\n"


def _by_topic() -> dict[str, list[type[Event]]]:
    found: dict[str, list[type[Event]]] = {}
    for event in EVENTS:
        found.setdefault(event.topic, []).append(event)
    return found


def _section(event: type[Event]) -> str:
    kept = "compacted" if event.compacted else "14 days"
    clock = ", stamped by the broker" if event.broker_stamped else ""
    keyed = " (with the other topics of samples)" if event.topic in SAMPLE_TOPICS else ""
    return (
        f"\n## {event.name()}\n\n{told(event)}\n\n"
        f"- topic `{event.topic}`, key {_key(event)}{keyed}, {kept}{clock}\n"
        f"- from {', '.join(sorted(event.producers))} to {', '.join(sorted(event.consumers))}\n\n"
        f"{table(event, set(Event.model_fields))}"
    )


def _key(event: type[Event]) -> str:
    """Return how the key is made; from several fields where the event says so itself."""
    if event.key is Event.key:
        return f"`{event.key_field}`"
    [answer] = [node for node in ast.walk(_method(event, "key")) if isinstance(node, ast.Return)]
    return (
        f"`{ast.unparse(answer.value).removeprefix('f').strip(chr(39)).replace('self.', '')}`" if answer.value else ""
    )


def _method(event: type[Event], name: str) -> ast.FunctionDef:
    owner = next(base for base in event.__mro__ if name in vars(base))
    return next(node for node in body_of(owner) if isinstance(node, ast.FunctionDef) and node.name == name)


def _part(model: type[BaseModel]) -> str:
    return f"\n## {model.__name__}\n\n{told(model)}\n\n{table(model, set())}"


def _parts() -> list[type[BaseModel]]:
    """Return the models that stand within events, by name."""
    found: set[type[BaseModel]] = set()
    for event in EVENTS:
        found |= set(_within(event))
    return sorted(found, key=lambda model: model.__name__)


def _within(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in model.model_fields.values():
        if not field.exclude:
            for part in _models_in(field.annotation):
                yield part
                yield from _within(part)


def _models_in(kind: Any) -> Iterable[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from _models_in(inner)


def _async_api() -> str:
    """Return the AsyncAPI 3.0 document: one channel per topic, one operation per event and service."""
    _, schemas = models_json_schema([(event, "serialization") for event in EVENTS], ref_template=_SCHEMAS)
    channels: dict[str, Any] = {
        topic: {
            "address": topic,
            "messages": {event.name(): {"$ref": f"#/components/messages/{event.name()}"} for event in events},
        }
        for topic, events in _by_topic().items()
    }
    messages = {
        event.name(): {
            "name": event.name(),
            "contentType": "application/json",
            "summary": told(event),
            "payload": {"$ref": _SCHEMAS.format(model=event.name())},
        }
        for event in EVENTS
    }
    operations = {
        f"{service}.{action}.{event.name()}": {
            "action": action,
            "channel": {"$ref": f"#/channels/{event.topic}"},
            "messages": [{"$ref": f"#/channels/{event.topic}/messages/{event.name()}"}],
        }
        for event in EVENTS
        for action, services in (("send", event.producers), ("receive", event.consumers))
        for service in sorted(services)
    }
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "Labelmesh events", "version": "1"},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas["$defs"]},
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"
