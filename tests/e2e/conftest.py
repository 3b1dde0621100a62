"""What e2e tests share: the whole stack, its gateway, a second tenant, the reduced loop."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest

from deploy.local import environment
from deploy.local.places import CHECKOUT
from deploy.local.stack import Stack
from tests.e2e.gateway import Gateway, a_spec
from tests.e2e.reduced_loop import Loop, Outcome, assert_nothing_accepted_is_missing

REGISTERED = "raw-e2e"
"""A bucket whose objects the first tenant may name."""
OWN = {
    "LABELMESH_COMMIT_DELAY_SECONDS": "2",
    "LABELMESH_INGEST_BUCKETS": f'{{"default":["{REGISTERED}/"]}}',
}
"""The store of these tests loses nothing while it lives, so commits need not stay a minute behind."""


@pytest.fixture(scope="session")
def stack(servers: Stack) -> Stack:
    """The servers and all seven services, with the first tenant's owner key in the settings."""
    if not OWN.items() <= servers.settings().items():
        environment.append(servers.env_file, OWN)
    servers.up()
    return servers


@pytest.fixture(scope="session")
def gateway(stack: Stack) -> Gateway:
    """The gateway, as the owner of the first tenant."""
    return Gateway.of(stack)


@pytest.fixture(scope="session")
def elsewhere(stack: Stack, gateway: Gateway) -> Gateway:
    """The gateway, as the owner of another tenant."""
    command = [sys.executable, "-m", "ops.cli", "bootstrap", "--tenant", "other"]
    made = subprocess.run(
        command, env=stack.environment(), cwd=CHECKOUT, capture_output=True, text=True, check=True
    ).stdout
    key = next(word for word in made.split() if word.startswith("lm_"))
    return Gateway(gateway.url, key)


@pytest.fixture(scope="session")
def chats(gateway: Gateway) -> str:
    """A project of chats, for tests that need any."""
    return gateway.publish(a_spec())


@pytest.fixture
def owner(gateway: Gateway) -> Iterator[httpx2.Client]:
    """A bare HTTP client with the owner's key."""
    with gateway.http() as client:
        yield client


@pytest.fixture
def loop(gateway: Gateway) -> Loop:
    """A reduced loop that has not begun."""
    return Loop(gateway)


@pytest.fixture(scope="session")
def undisturbed(gateway: Gateway) -> Outcome:
    """What comes of the reduced loop when nothing happens to the stack."""
    loop = Loop(gateway)
    with loop.workforce():
        loop.send()
        outcome = loop.outcome()
    assert_nothing_accepted_is_missing(loop)
    return outcome
