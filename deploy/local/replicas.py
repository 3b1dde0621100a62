"""More than one process of a service."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from deploy.local.errors import ProcessDiedError
from deploy.local.places import CHECKOUT
from deploy.local.processes import Process
from deploy.local.servers import http_answers
from deploy.local.stack import Stack

READY_SECONDS = 120


@dataclass(frozen=True)
class Replica:
    """Another process of a service of a stack."""

    stack: Stack
    service: str
    name: str
    url: str
    program: tuple[str, ...]
    """The module that is run, and its arguments."""

    @property
    def process(self) -> Process:
        """The process, found again by its files."""
        return Process(name=f"{self.service}-{self.name}", home=self.stack.home)

    def start(self) -> None:
        """Start it, and do not wait."""
        own = {f"LABELMESH_{self.service.upper()}_{what}": each for what, each in self._place().items()}
        self.process.start((sys.executable, "-m", *self.program), self.stack.environment() | own, "", CHECKOUT)

    def await_ready(self, patience: float = READY_SECONDS) -> None:
        """Wait until it is ready.

        Args:
            patience: Seconds it has for that.

        Raises:
            ProcessDiedError: It is not ready in time.
        """
        deadline = time.monotonic() + patience
        while not http_answers(f"{self.url}/readyz"):
            if time.monotonic() > deadline:
                happened = f"was not ready within {patience:.0f} s"
                raise ProcessDiedError(self.process.name, happened, str(self.process.log), self.process.tail())
            time.sleep(0.1)

    def _place(self) -> dict[str, str]:
        return {"URL": self.url, "PORT": self.url.rpartition(":")[2]}


@contextmanager
def replica_of(stack: Stack, service: str, name: str = "2", program: Sequence[str] = ()) -> Iterator[Replica]:
    """Run another process of a service of the stack while the block runs.

    Args:
        stack: The stack, which runs.
        service: Which service.
        name: Tells this replica from others.
        program: The module to run in the service's place, and its arguments.
    """
    url = f"http://127.0.0.1:{free_port()}"
    replica = Replica(stack, service, name, url, tuple(program) or (f"services.{service}",))
    replica.start()
    try:
        replica.await_ready()
        yield replica
    finally:
        replica.process.stop()


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
