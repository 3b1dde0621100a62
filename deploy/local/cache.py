"""What is installed once per machine: the jars of Kafka and of the MongoDB stand-in, its classes, and MinIO."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from deploy.local import tools
from deploy.local.console import Progress
from deploy.local.errors import LocalStackError
from deploy.local.places import PlaceSettings
from deploy.local.processes import locked

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
MINIO_MODULE = "github.com/minio/minio"
MINIO_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
PROFILES = ("kafka", "mongo")
STAND_IN = HERE / "mongo"
COMPILER = "jdk.compiler/com.sun.tools.javac.Main"
"""Java's compiler as a module, which is there also where no ``javac`` is on the PATH."""


class Cache:
    """The installed servers of this machine, shared by all checkouts."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or PlaceSettings().cache).expanduser().resolve()

    @property
    def minio(self) -> Path:
        """The MinIO server binary."""
        return self.root / "bin" / "minio"

    def jars(self, profile: str) -> Path:
        """The folder with a server's jars; another ``pom.xml`` means another folder.

        Args:
            profile: A profile of ``pom.xml``: ``kafka`` or ``mongo``.
        """
        pinned = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
        return self.root / "jars" / pinned / profile

    @property
    def classes(self) -> Path:
        """The folder with the compiled classes of the MongoDB stand-in; other sources mean another folder."""
        sources = b"".join(path.read_bytes() for path in _stand_in_sources())
        return self.jars("mongo").with_name(f"mongo-{hashlib.sha256(sources).hexdigest()[:12]}")

    def install(self, progress: Progress) -> None:
        """Fetch or build whatever is missing. Quick when nothing is.

        Args:
            progress: Where long steps tell how far they are.

        Raises:
            MissingToolError: A tool that a missing piece needs is not installed.
            LocalStackError: A download or build failed; the message has its last lines.
        """
        missing_jars = [profile for profile in PROFILES if not self.jars(profile).is_dir()]
        builder = [*(["mvn"] if missing_jars else []), *([] if self._has_minio() else ["go"])]
        tools.require("java", *builder)
        tools.require_java()
        if not builder and self.classes.is_dir():
            return
        if "go" in builder:
            tools.require_go()
        with locked(self.root / "install.lock", f"another install into {self.root}", progress):
            for profile in PROFILES:
                if not self.jars(profile).is_dir():
                    self._fetch_jars(profile, progress)
            if not self.classes.is_dir():
                self._compile_stand_in(progress)
            if not self._has_minio():
                self._build_minio(progress)

    def _fetch_jars(self, profile: str, progress: Progress) -> None:
        target = self.jars(profile)
        partial = target.with_name(f"{profile}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}", "-DincludeScope=runtime"]
        command = ["mvn", "-B", "-f", str(POM), "-P", profile, *goal]
        _run(f"fetching the jars of {profile}", command, {}, progress)
        partial.rename(target)

    def _compile_stand_in(self, progress: Progress) -> None:
        target = self.classes
        partial = target.with_name(f"{target.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        jars = os.pathsep.join(str(path) for path in sorted(self.jars("mongo").glob("*.jar")))
        sources = [str(path) for path in _stand_in_sources()]
        command = ["java", "-m", COMPILER, "-cp", jars, "-d", str(partial), *sources]
        _run("compiling the MongoDB stand-in", command, {}, progress)
        partial.rename(target)

    @property
    def _minio_marker(self) -> Path:
        return self.minio.with_name("minio.version")

    def _has_minio(self) -> bool:
        return self.minio.exists() and self._minio_marker.exists() and self._minio_marker.read_text() == MINIO_VERSION

    def _build_minio(self, progress: Progress) -> None:
        if not self._was_built_already():
            self._minio_marker.unlink(missing_ok=True)
            command = ["go", "install", "-v", f"{MINIO_MODULE}@{MINIO_VERSION}"]
            environment = {"GOBIN": str(self.minio.parent), "CGO_ENABLED": "0"}
            _run("building MinIO (about 4 minutes, once)", command, environment, progress)
        self._minio_marker.write_text(MINIO_VERSION)

    def _was_built_already(self) -> bool:
        if not self.minio.exists():
            return False
        told = subprocess.run(["go", "version", "-m", str(self.minio)], capture_output=True, text=True, check=False)
        return MINIO_VERSION in told.stdout


def _stand_in_sources() -> list[Path]:
    return sorted(STAND_IN.glob("*.java"))


def _run(title: str, command: list[str], environment: dict[str, str], progress: Progress) -> None:
    with (
        progress.step(title) as tell,
        subprocess.Popen(
            command,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        lines: list[str] = []
        for line in process.stdout or ():
            lines = [*lines[-30:], line.rstrip()]
            tell(line.strip())
    if process.returncode:
        raise LocalStackError(f"{title} failed with `{' '.join(command)}`:\n\n" + "\n".join(lines))
