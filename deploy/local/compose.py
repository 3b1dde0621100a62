"""The same stack as containers, from `docker-compose.yml`, with the same `.env`."""

import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local import environment, servers
from deploy.local.console import Progress
from deploy.local.errors import LocalStackError
from deploy.local.operations import operate, show_operations
from deploy.local.places import CHECKOUT

PATIENCE_SECONDS = 120.0


def engine_answers() -> bool:
    """Whether a Docker engine and its compose plugin can be used here."""
    if shutil.which("docker") is None:
        return False
    return all(_succeeds(["docker", *probe]) for probe in (["info"], ["compose", "version"]))


class ComposeStack:
    """Servers and services as containers."""

    def __init__(self, home: Path, env_file: Path, progress: Progress) -> None:
        """Name the stack; nothing is made or started.

        Args:
            home: The folder of this checkout's reports; data lives in Docker's volumes.
            env_file: The settings; made at the first start.
            progress: Where steps are shown.
        """
        self.home = home.resolve()
        self.env_file = env_file.resolve()
        self._progress = progress

    def environment(self) -> dict[str, str]:
        """What a program of this stack finds in its environment: the caller's, with the settings over it."""
        return environment.for_programs(environment.complete(self.env_file), self.env_file, self.home)

    def up(self) -> None:
        """Build the images, start all containers and make the first tenant.

        Raises:
            LocalStackError: Docker failed, or a service was not ready in time.
        """
        settings = environment.complete(self.env_file)
        # Compose itself waits for the servers' health checks and for `provision`, as `depends_on` says. It would take
        # the end of that one-shot container for a failure under `--wait`, so the services are awaited here.
        self._compose("up", "--build", "--detach", "--remove-orphans")
        self._await_services(settings)
        operate("bootstrap", "making the first tenant", self.environment(), self._progress)

    def down(self) -> None:
        """Stop all containers; volumes and settings stay."""
        self._compose("down", "--remove-orphans")

    def clean(self) -> None:
        """Stop all containers and forget volumes and settings together."""
        environment.complete(self.env_file)
        self._compose("down", "--remove-orphans", "--volumes")
        if self.home.is_dir():
            for report in self.home.glob("*.json"):
                report.unlink()
        self.env_file.unlink(missing_ok=True)

    def status(self) -> None:
        """Print the containers, then what the operator's tool knows when all services are ready."""
        self._compose("ps", "--all")
        if not self._not_ready(environment.look(self.env_file)):
            show_operations(self.environment())

    def logs(self, names: Sequence[str], follow: bool) -> None:
        """Print the containers' logs.

        Args:
            names: Which services; all when empty.
            follow: Go on until interrupted.
        """
        chosen = [name.replace("_", "-") for name in names]
        self._compose("logs", "--tail", "20", *(["--follow"] if follow else []), *chosen)

    def _compose(self, *arguments: str) -> None:
        environment.complete(self.env_file)
        files = ["--file", str(CHECKOUT / "docker-compose.yml"), "--env-file", str(self.env_file)]
        done = subprocess.run(["docker", "compose", *files, *arguments], cwd=CHECKOUT, check=False)
        if done.returncode:
            raise LocalStackError(
                f"`docker compose {arguments[0]}` failed, see above. "
                "`make logs` shows what the containers say; LABELMESH_ENGINE=local does without Docker."
            )

    def _not_ready(self, settings: Mapping[str, str]) -> list[str]:
        return [
            name
            for name in environment.SERVICES
            if not servers.http_answers(f"{settings[f'LABELMESH_{name.upper()}_URL']}/readyz")
        ]

    def _await_services(self, settings: Mapping[str, str]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._progress.step("waiting for the services") as tell:
            while waiting := self._not_ready(settings):
                if time.monotonic() > deadline:
                    raise LocalStackError(
                        f"Not ready within {PATIENCE_SECONDS:.0f} s: {', '.join(waiting)}. `make logs` shows why."
                    )
                tell(f"waiting for {', '.join(waiting)}")
                time.sleep(0.5)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0
