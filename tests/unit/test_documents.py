"""The documents that people read: what they link to, the targets and paths they name, and who tells whom."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.events import EVENTS, erasure

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted(CHECKOUT.glob("docs/**/*.md"))]
FOLDERS = (".ci", "bench", "deploy", "docs", "examples", "labelmesh", "ops", "services", "shared", "tests")
"""A word in a code span that begins with one of these and a slash is a path of this repository."""
MADE_BY_TARGETS = {"docs/events.md": "docs"}
"""May be missing until its make target has run."""

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4}.*$", re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
PLACEHOLDER = re.compile(r"<[^>]+>")
ARROW = re.compile(r'^ *(\w+) -- "([^"]+)" --> (\w+)$', re.MULTILINE)
TOPIC = re.compile(r"\b[a-z_]+\.[a-z_]+\b(?!\()")
TOPIC_IN_TEXT = re.compile(r"\b[a-z_]+\.[a-z_]+\.v\d+\b")

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(CHECKOUT)))


class Arrow(NamedTuple):
    """Who tells whom, on which topics, as a diagram has it."""

    source: str
    topics: tuple[str, ...]
    target: str


@every_document
def test_every_relative_link_leads_somewhere(document: Path) -> None:
    links = LINK.findall(FENCE.sub("", document.read_text()))

    dead = [link for link in links if "://" not in link and not _resolves(document, link)]

    assert dead == []


@every_document
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    named = {target for code in _code(document) for target in TARGET.findall(code)}

    assert named - _targets() == set()


@every_document
def test_every_path_that_is_named_exists(document: Path) -> None:
    named = {word for code in _code(document) for word in code.split() if word.startswith(_prefixes())}

    missing = sorted(path for path in named if not _exists(path))

    assert missing == []


@every_document
def test_every_topic_that_is_named_exists(document: Path) -> None:
    named = {topic for code in _code(document) for topic in TOPIC_IN_TEXT.findall(code)}

    assert named - {event.topic for event in EVENTS} - {"dead-letters.v1"} == set()


def test_what_a_target_has_yet_to_make_is_made_by_a_target() -> None:
    assert set(MADE_BY_TARGETS.values()) <= _targets()


def test_the_diagram_shows_only_who_really_tells_whom() -> None:
    told = {
        (producer, event.topic, consumer)
        for event in EVENTS
        for producer in event.producers
        for consumer in event.consumers
    }

    shown = {
        (arrow.source, f"{topic}.v1", arrow.target)
        for arrow in _arrows(CHECKOUT / "docs" / "architecture.md")
        for topic in arrow.topics
    }

    assert shown, "the diagram has lost its arrows"
    assert shown - told == set()


def test_the_diagram_leaves_out_only_what_the_text_says_it_leaves_out() -> None:
    shown = {
        (arrow.source, f"{topic}.v1", arrow.target)
        for arrow in _arrows(CHECKOUT / "docs" / "architecture.md")
        for topic in arrow.topics
    }

    between_services = {
        (producer, event.topic, consumer)
        for event in EVENTS
        for producer in event.producers
        for consumer in event.consumers - {producer, "gateway"}
        if not event.compacted  # versions and states of projects are read by all
        and event.__module__ != erasure.__name__  # goes to all and comes from all
    }

    assert between_services - shown == set()


def test_the_tour_has_ten_lines_of_curl_that_a_shell_can_read() -> None:
    [tour] = re.findall(r"^```bash\n(.*?)^```$", (CHECKOUT / "README.md").read_text(), re.MULTILINE | re.DOTALL)

    calls = [line for line in tour.splitlines() if "curl " in line and not line.startswith("#")]
    read = subprocess.run(["bash", "-n"], input=tour, text=True, capture_output=True, check=False)

    assert len(calls) == 10
    assert (read.returncode, read.stderr) == (0, "")


def _code(document: Path) -> Iterator[str]:
    """Yield what stands as code: blocks, indented lines, and spans."""
    text = document.read_text()
    yield from FENCE.findall(text)
    outside = FENCE.sub("", text)
    yield from INDENTED.findall(outside)
    yield from SPAN.findall(outside)


def _resolves(document: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (document.parent / path).resolve() if path else document
    if path and not target.exists():
        return str(target.relative_to(CHECKOUT)) in MADE_BY_TARGETS
    return not anchor or anchor in _anchors(target)


@cache
def _anchors(document: Path) -> frozenset[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = HEADING.findall(FENCE.sub("", document.read_text()))
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


@cache
def _targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z][a-z-]*):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))


def _prefixes() -> tuple[str, ...]:
    return tuple(f"{folder}/" for folder in FOLDERS)


def _exists(path: str) -> bool:
    """Return whether a path is there; ``<name>`` in it stands for anything, once at least."""
    bare = path.rstrip("/.,;:)")
    pattern = PLACEHOLDER.sub("*", bare)
    return bare in MADE_BY_TARGETS or any(CHECKOUT.glob(pattern))


def _arrows(document: Path) -> list[Arrow]:
    """Return the arrows of a document's diagram that carry events."""
    [diagram] = re.findall(r"^```mermaid\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)
    return [Arrow(source, tuple(TOPIC.findall(label)), target) for source, label, target in ARROW.findall(diagram)]
