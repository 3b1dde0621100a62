"""A whole stack as plain processes: three servers and seven services, started in order and found again later."""

import hashlib
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local import environment, servers
from deploy.local.cache import Cache
from deploy.local.console import Progress
from deploy.local.errors import LocalStackError, PortInUseError, ProcessDiedError
from deploy.local.operations import operate
from deploy.local.places import CHECKOUT
from deploy.local.processes import Process, locked
from deploy.local.servers import SERVERS, Plan

SERVICES = environment.SERVICES
PROCESSES = (*SERVERS, *SERVICES)
KEPT_IN_HOME = ("kafka", "mongo", "minio", "minio-notifications", "logs", "run")
PORT_PATIENCE_SECONDS = 5.0
BEHIND_THE_LOG = ("annotation_store", "qa", "versioning", "feedback")
"""Nobody waits for what these do with an answer: it is in the log, and they may be behind."""
BEHIND = 10
"""Their niceness: a tenth of what a process gets that somebody waits for, where all want the processor."""


@dataclass(frozen=True)
class Standing:
    """How one process of a stack is doing."""

    name: str
    pid: int | None
    ports: tuple[int, ...]
    ready: bool


class Stack:
    """The servers and services of one `.env`, with their data in one folder.

    Methods with a ``name`` take one of ``PROCESSES`` and raise ``LocalStackError`` for any other.
    """

    def __init__(
        self,
        home: Path,
        env_file: Path,
        port_offset: int = 0,
        memory: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Name the stack; nothing is made or started.

        Args:
            home: The folder of data, logs and pids.
            env_file: The settings; made at the first start.
            port_offset: Added to the default ports when the settings are made.
            memory: Run the MongoDB stand-in without a file.
            progress: Where long steps tell how far they are.
        """
        self.home = home.resolve()
        self.env_file = env_file.resolve()
        self._port_offset = port_offset
        self._memory = memory
        self._progress = progress or Progress()
        self._cache = Cache()

    def settings(self) -> dict[str, str]:
        """All settings of this stack (``LABELMESH_*``); the first call makes them.

        Raises:
            LocalStackError: The file cannot be read, or contradicts itself.
        """
        return environment.complete(self.env_file, self._port_offset)

    def environment(self) -> dict[str, str]:
        """What a program of this stack finds in its environment: the caller's, with the settings over it."""
        return environment.for_programs(self.settings(), self.env_file, self.home)

    def up(self, services: Sequence[str] | None = None) -> None:
        """Start what is not running: servers, then topics and buckets, then services, then the first tenant.

        Args:
            services: Which services; all seven when None, only the servers when empty.

        Raises:
            LocalStackError: Something is missing, in the way, or died; the message says what to do.
        """
        wanted = SERVICES if services is None else tuple(services)
        self._cache.install(self._progress)
        with locked(self.home / "run" / "up.lock", f"another start of {self.home}", self._progress):
            for name in SERVERS:
                self.start(name)
            if wanted:
                operate("provision", "making topics and buckets", self.environment(), self._progress)
                self._start([self._plan(name, self.settings()) for name in wanted])
            if "gateway" in wanted:
                operate("bootstrap", "making the first tenant", self.environment(), self._progress)

    def down(self) -> None:
        """Stop everything that runs, services first; data and settings stay."""
        for group in (SERVICES, ("mongo", "minio"), ("kafka",)):
            running = [self._process(name) for name in group if self.pid(name) is not None]
            for process in running:
                process.ask_to_stop()
            for process in running:
                process.stop()
                self._progress.say(f"{process.name} stopped")

    def clean(self) -> None:
        """Stop everything and forget data and settings together: neither is of use without the other."""
        self.down()
        for name in KEPT_IN_HOME:
            shutil.rmtree(self.home / name, ignore_errors=True)
        if self.home.is_dir():
            for report in self.home.glob("*.json"):
                report.unlink()
        self.env_file.unlink(missing_ok=True)

    def start(self, name: str) -> None:
        """Start one process and wait until it is ready. Harmless when it already is.

        Args:
            name: Which process.

        Raises:
            PortInUseError: Another program has its port.
            ProcessDiedError: It ended, or was not ready in time.
        """
        self._start([self._plan(name, self.settings())])

    def stop(self, name: str) -> None:
        """Stop one process gracefully.

        Args:
            name: Which process.
        """
        self._process(name).stop()

    def kill(self, name: str) -> None:
        """End one process at once with SIGKILL.

        Args:
            name: Which process.
        """
        self._process(name).kill()

    def pause(self, name: str) -> None:
        """Freeze one process with SIGSTOP: its connections stay, and nothing answers.

        Args:
            name: Which process.
        """
        self._process(name).signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Let a frozen process go on.

        Args:
            name: Which process.
        """
        self._process(name).signal(signal.SIGCONT)

    def pid(self, name: str) -> int | None:
        """The pid of a running process, None when it is not running.

        Args:
            name: Which process.
        """
        return self._process(name).pid

    def log(self, name: str) -> Path:
        """The file with a process's output.

        Args:
            name: Which process.
        """
        return self._process(name).log

    def standing(self) -> list[Standing]:
        """How every process is doing, servers first; nothing is made or started."""
        settings = environment.look(self.env_file, self._port_offset)
        plans = [self._plan(name, settings) for name in PROCESSES]
        return [
            Standing(
                name=plan.name,
                pid=(pid := self.pid(plan.name)),
                ports=tuple(int(settings[port]) for port in plan.ports),
                ready=pid is not None and plan.is_ready(),
            )
            for plan in plans
        ]

    def _process(self, name: str) -> Process:
        if name not in PROCESSES:
            raise LocalStackError(f"There is no process {name!r}; choose one of {', '.join(PROCESSES)}.")
        return Process(name=name, home=self.home)

    def _plan(self, name: str, settings: Mapping[str, str]) -> Plan:
        match self._process(name).name:
            case "kafka":
                return servers.plan_kafka(self.home, settings, self._cache)
            case "mongo":
                return servers.plan_mongo(self.home, settings, self._cache, self._memory)
            case "minio":
                return servers.plan_minio(self.home, settings, self._cache)
            case service:
                return self._plan_service(service, settings)

    def _plan_service(self, name: str, settings: Mapping[str, str]) -> Plan:
        port = f"LABELMESH_{name.upper()}_PORT"
        known = environment.for_programs(settings, self.env_file, self.home)
        return Plan(
            name=name,
            command=(sys.executable, "-m", f"services.{name}"),
            environment={key: value for key, value in known.items() if key not in environment.OPTIONAL_SETTINGS},
            ports=(port,),
            is_ready=lambda: servers.http_answers(f"http://127.0.0.1:{settings[port]}/readyz"),
            niceness=BEHIND if name in BEHIND_THE_LOG else 0,
        )

    def _start(self, plans: Sequence[Plan]) -> None:
        for plan in plans:
            self._launch(plan)
        self._await_ready(plans)

    def _launch(self, plan: Plan) -> None:
        process = self._process(plan.name)
        settings = self.settings()
        fingerprint = _fingerprint(plan, settings)
        if process.pid is not None:
            if process.was_started_with(fingerprint):
                return
            process.stop()
            self._progress.say(f"{plan.name} stopped, for its settings have changed")
        for setting in plan.ports:
            if not _becomes_free(int(settings[setting])):
                raise PortInUseError(int(settings[setting]), setting, str(self.env_file))
        plan.prepare()
        process.start(plan.command, plan.environment, fingerprint, CHECKOUT, plan.niceness)

    def _await_ready(self, plans: Sequence[Plan]) -> None:
        waiting = [plan for plan in plans if not plan.is_ready()]
        if not waiting:
            return
        deadline = time.monotonic() + max(plan.patience for plan in waiting)
        with self._progress.step(f"starting {', '.join(plan.name for plan in waiting)}") as tell:
            while waiting:
                for plan in waiting:
                    self._check_alive(plan, deadline)
                tell(f"waiting for {', '.join(plan.name for plan in waiting)}")
                time.sleep(0.2)
                waiting = [plan for plan in waiting if not plan.is_ready()]

    def _check_alive(self, plan: Plan, deadline: float) -> None:
        process = self._process(plan.name)
        if process.pid is None:
            raise ProcessDiedError(plan.name, "ended while starting", str(process.log), process.tail())
        if time.monotonic() > deadline:
            happened = f"was not ready within {plan.patience:.0f} s"
            raise ProcessDiedError(plan.name, happened, str(process.log), process.tail())


def _becomes_free(port: int) -> bool:
    """Whether a port is free, or becomes so within moments: a killed process keeps its sockets until it is gone."""
    deadline = time.monotonic() + PORT_PATIENCE_SECONDS
    while servers.port_answers(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _fingerprint(plan: Plan, settings: Mapping[str, str]) -> str:
    """Changes with the command, the ports and our settings, not with the rest of the caller's environment."""
    ours = sorted(
        (name, value) for name, value in plan.environment.items() if name.startswith(("LABELMESH_", "MINIO_"))
    )
    ports = [settings[port] for port in plan.ports]
    return hashlib.sha256(repr((plan.command, ports, ours)).encode()).hexdigest()
