"""The stack that integration and e2e tests run against: real servers, started once, beside any that a person runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from deploy.local.environment import PORTS
from deploy.local.servers import port_answers
from deploy.local.stack import Stack
from ops.provision import provision
from shared.settings import SharedSettings

HERE = Path(__file__).parent
PREFIX = "LABELMESH_"
STAGES = ("unit", "integration", "e2e")
FIRST_OFFSET, LAST_OFFSET, OFFSET_STEP = 2_000, 12_000, 500


# A logged exception is printed as Python does it: with the values of each frame, one took a second on a busy machine.
structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run quick tests first, mark each by its folder, and let starting the servers take its time."""
    for item in items:
        if (stage := _stage(item)) != "unit":
            item.add_marker(stage)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(120, func_only=True))
    items.sort(key=lambda item: STAGES.index(_stage(item)))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, MinIO and the MongoDB stand-in with topics and buckets, on ports and data of their own.

    They are stopped at the end. With ``LABELMESH_TEST_HOME`` they live in that folder and stay, for the next run.

    Raises:
        LocalStackError: They cannot be installed or started; the message says what to do.
    """
    kept = os.environ.get("LABELMESH_TEST_HOME")
    home = Path(kept) if kept else tmp_path_factory.mktemp("stack")
    stack = Stack(home, home / "env", port_offset=_free_offset(), memory=True)
    try:
        stack.up(services=())
        asyncio.run(provision(settings_of(stack)))
        yield stack
    finally:
        if not kept:
            stack.down()


def settings_of(stack: Stack) -> SharedSettings:
    """Return the settings of a stack; the caller's environment has no say."""
    given: dict[str, Any] = {name.removeprefix(PREFIX).lower(): value for name, value in stack.settings().items()}
    return SharedSettings(**given)


def _stage(item: pytest.Item) -> str:
    folder = item.path.relative_to(HERE).parts[0]
    return folder if folder in STAGES else "unit"


def _free_offset() -> int:
    """Return an offset at which none of the stack's ports is in use; a kept stack has its ports already."""
    for offset in range(FIRST_OFFSET, LAST_OFFSET, OFFSET_STEP):
        if not any(port_answers(port + offset) for port in PORTS.values()):
            return offset
    raise RuntimeError(f"All port offsets from {FIRST_OFFSET} to {LAST_OFFSET} are in use; stop other stacks.")
