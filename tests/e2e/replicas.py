"""More than one process of a service."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.places import CHECKOUT
from deploy.local.processes import Process
from deploy.local.stack import Stack
from tests.e2e.gateway import until

OWNED = "labelmesh_task_assignment_owned_partitions"
FOLDED = "labelmesh_events_folded"
READY_SECONDS = 120


@dataclass(frozen=True)
class Replica:
    """Another process of a service of a stack."""

    stack: Stack
    service: str
    name: str
    url: str
    skew: float | None = None
    """For task assignment: how many seconds its clock is ahead."""

    @property
    def process(self) -> Process:
        return Process(name=f"{self.service}-{self.name}", home=self.stack.home)

    def start(self) -> None:
        """Start it, and do not wait."""
        own = {f"LABELMESH_{self.service.upper()}_{what}": each for what, each in self._place().items()}
        command = (f"services.{self.service}",) if self.skew is None else ("tests.e2e.skewed", str(self.skew))
        self.process.start((sys.executable, "-m", *command), self.stack.environment() | own, "", CHECKOUT)

    def _place(self) -> dict[str, str]:
        return {"URL": self.url, "PORT": self.url.rpartition(":")[2]}


@contextmanager
def replica_of(stack: Stack, service: str, name: str = "2", skew: float | None = None) -> Iterator[Replica]:
    """Run another process of a service of the stack while the block runs."""
    replica = Replica(stack, service, name, f"http://127.0.0.1:{free_port()}", skew)
    replica.start()
    try:
        until(lambda: is_ready(replica.url), f"another {service}: {replica.process.tail()}", seconds=READY_SECONDS)
        yield replica
    finally:
        replica.process.stop()


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx2.TransportError:
        return False


def owned(url: str) -> int:
    """Return how many partitions a replica of task assignment owns."""
    metrics = text_string_to_metric_families(httpx2.get(f"{url}/metrics", timeout=5).text)
    return next(int(metric.samples[0].value) for metric in metrics if metric.name == OWNED)


def folded(url: str, event: str) -> int:
    """Return how many events of a type a replica has applied since it was started."""
    metrics = text_string_to_metric_families(httpx2.get(f"{url}/metrics", timeout=5).text)
    samples = [sample for metric in metrics if metric.name == FOLDED for sample in metric.samples]
    return sum(
        int(each.value) for each in samples if each.labels.get("event") == event and each.name == f"{FOLDED}_total"
    )


def free_port() -> int:
    """Return a port that nobody has at the moment."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
