"""Processes that outlive the command that started them, and that only we stop."""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.local.console import Progress
from deploy.local.errors import LocalStackError

STOP_PATIENCE_SECONDS = 20.0
LOG_BYTES = 20_000_000
"""A longer log is set aside at the next start, in place of the one set aside before."""
AUTOGROUP_TRIES = 10


@dataclass(frozen=True)
class Process:
    """A named process of a stack, found again by the file that keeps its pid and its time of birth."""

    name: str
    home: Path
    """The folder of the stack, with ``run`` and ``logs`` in it."""

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.home / "logs" / f"{self.name}.log"

    @property
    def pid_file(self) -> Path:
        """Its pid, when it was born, and what it was started with."""
        return self.home / "run" / f"{self.name}.pid"

    @property
    def pid(self) -> int | None:
        """The pid while it lives. A pid that now belongs to another program is not ours and gives None."""
        record = self._record()
        if record is None:
            return None
        pid = int(record["pid"])
        return pid if record["born"] == birth_of(pid) else None

    def was_started_with(self, fingerprint: str) -> bool:
        """Whether the last start had the same command and settings.

        Args:
            fingerprint: What ``start`` was given.
        """
        record = self._record()
        return record is not None and record["fingerprint"] == fingerprint

    def start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        fingerprint: str,
        cwd: Path,
        niceness: int = 0,
    ) -> int:
        """Start it in a session of its own, so that it survives the terminal.

        Args:
            command: Program and arguments.
            environment: Its whole environment.
            fingerprint: A text that changes when it has to be restarted.
            cwd: Its working directory.
            niceness: How far it stands behind others where the processor is short: 0 not at all, 19 wholly.

        Returns:
            Its pid.

        Raises:
            LocalStackError: It is running already.
        """
        if self.pid is not None:
            raise LocalStackError(f"{self.name} is already running with pid {self.pid}; stop it first.")
        for folder in (self.log.parent, self.pid_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            # The handle is not kept: `birth_of` reaps the process should it end while we are still its parent.
            pid = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ).pid
        record = {"pid": pid, "born": birth_of(pid), "fingerprint": fingerprint}
        self.pid_file.write_text(json.dumps(record))
        if niceness:  # which may take a second; who is interrupted meanwhile has to find the process again
            stand_back(pid, niceness)
        return pid

    def stop(self, patience: float = STOP_PATIENCE_SECONDS) -> bool:
        """Ask it to end, and end it when it does not.

        Args:
            patience: Seconds between SIGTERM and SIGKILL.

        Returns:
            Whether it was running.
        """
        was_running = self.ask_to_stop()
        if not self._wait(patience):
            self.signal(signal.SIGKILL)
            self._wait(STOP_PATIENCE_SECONDS)
        self.pid_file.unlink(missing_ok=True)
        return was_running

    def ask_to_stop(self) -> bool:
        """Send SIGTERM and do not wait.

        Returns:
            Whether it was running.
        """
        was_running = self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)  # a process that is paused could not hear us
        return was_running

    def kill(self) -> bool:
        """End it at once, with no chance to put anything in order.

        Returns:
            Whether it was running.
        """
        was_running = self.signal(signal.SIGKILL)
        self._wait(STOP_PATIENCE_SECONDS)
        return was_running

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to this process alone.

        Args:
            number: Which signal.

        Returns:
            Whether the process was there to get it.
        """
        pid = self.pid
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:  # it ended between the look and the signal
            return False
        return True

    def tail(self, lines: int = 25) -> str:
        """The last lines of its log.

        Args:
            lines: How many, at most.
        """
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _record(self) -> dict[str, str] | None:
        try:
            record: dict[str, str] = json.loads(self.pid_file.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return record

    def _wait(self, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True


@contextmanager
def locked(path: Path, other: str, progress: Progress) -> Iterator[None]:
    """Let one command at a time into the block, on this machine.

    Args:
        path: The lock file.
        other: What one may have to wait for, in words.
        progress: Where the wait is told.

    Yields:
        Nothing, once the lock is ours; the end of the process frees it too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with progress.step(f"waiting for {other}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stand_back(pid: int, niceness: int) -> None:
    """Let a process that has just started, in a session of its own, stand behind others.

    Where Linux groups processes by session, a niceness counts within its session alone, and the session has one of its
    own (``man 7 sched``, autogroup).

    Args:
        pid: The process.
        niceness: 1 to 19.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        _write_patiently(Path(f"/proc/{pid}/autogroup"), str(niceness))


def _write_patiently(file: Path, text: str) -> None:
    """Write to a file of the kernel's, which takes one such change of an ordinary user's in a tenth of a second."""
    for _ in range(AUTOGROUP_TRIES):
        with suppress(BlockingIOError):
            file.write_text(text)
            return
        time.sleep(0.1)


def birth_of(pid: int) -> str | None:
    """When a process was started, to tell it from a later one with the same pid.

    Args:
        pid: The process.

    Returns:
        A text that differs between two processes, or None when it has ended (also when it is a zombie).
    """
    _reap(pid)
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        told = subprocess.run(
            ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        state, _, born = told.stdout.strip().partition(" ")
        return born.strip() if born and not state.startswith("Z") else None
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # not our child, so not ours to reap
        os.waitpid(pid, os.WNOHANG)
