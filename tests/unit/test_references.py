"""The generated references are what the code says now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ops import documents
from ops.label_page import LABELS_PAGE
from shared.events import EVENTS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_references_in_docs_are_current():
    assert documents.check(DOCS) == [], "run `make docs` and commit what it writes"


def test_a_stale_reference_is_told_and_written_anew(tmp_path: Path):
    (tmp_path / documents.EVENTS_PAGE).write_text("old")

    assert documents.check(tmp_path) == [documents.EVENTS_PAGE, documents.ASYNC_API, LABELS_PAGE]
    documents.write(tmp_path)
    assert documents.check(tmp_path) == []


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.__name__)
def test_an_event_is_in_both_references_with_all_its_fields(event):
    rendered = documents.render()
    section = rendered[documents.EVENTS_PAGE].partition(f"\n## {event.name()}\n")[2].partition("\n## ")[0]
    schema = orjson.loads(rendered[documents.ASYNC_API])["components"]["schemas"][event.name()]
    written = {name for name, field in event.model_fields.items() if not field.exclude}

    assert event.topic in section
    assert set(schema["properties"]) == written
    assert all(f"| `{name}` |" in section for name in written - {"event_id", "tenant_id", "occurred_at", "request_id"})


def test_what_stands_below_a_field_in_the_code_is_its_meaning_on_the_page():
    page = documents.render()[documents.EVENTS_PAGE]

    assert "| `lease_expires_ms` | integer | The expiry that the token promised" in page
    assert "key `{tenant_id}/{project_id}/{version}`, compacted" in page


def test_the_asyncapi_document_refers_only_to_what_it_holds():
    document = orjson.loads(documents.render()[documents.ASYNC_API])

    references = set(_references(document))

    assert references
    for reference in references:
        found = document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from _references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _references(inner)
