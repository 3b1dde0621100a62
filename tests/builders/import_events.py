"""Valid events of ``shared.events.imports``."""

from typing import Any

from shared.events import imports
from tests.builders.base import TENANT, an_event


def an_import_received(**changes: Any) -> imports.ImportReceived:
    return an_event(imports.ImportReceived, changes, lines=1)


def an_import_rested(**changes: Any) -> imports.ImportRested:
    source = imports.ImportSource(prefix="s3://raw/calls/", follow_seconds=60)
    return an_event(imports.ImportRested, changes, source=source, cursor=imports.ImportCursor(chunk=1, listing=1))


def import_lines_finished(**changes: Any) -> imports.ImportLinesFinished:
    return an_event(imports.ImportLinesFinished, changes, part=0, lines={"created": [1, 2]})


def an_import_line_finished(**changes: Any) -> imports.ImportLineFinished:
    return an_event(imports.ImportLineFinished, changes, line=1, outcome="created")


def an_import_requested(**changes: Any) -> imports.ImportRequested:
    source = imports.ImportSource(object=f"media/{TENANT}/imports/job-1", format="ndjson")
    return an_event(imports.ImportRequested, changes, source=source)


def an_import_continued(**changes: Any) -> imports.ImportContinued:
    source = imports.ImportSource(object=f"media/{TENANT}/imports/job-1", format="ndjson")
    return an_event(imports.ImportContinued, changes, source=source, cursor=imports.ImportCursor(chunk=1))


def an_import_cancelled(**changes: Any) -> imports.ImportCancelled:
    return an_event(imports.ImportCancelled, changes, cancelled_by="mo")
