"""The programs that the local servers need, and how to get them."""

import re
import shutil
import subprocess

from deploy.local.errors import MissingToolError

INSTALL = {
    "java": "apt-get install openjdk-17-jre-headless",
    "mvn": "apt-get install maven",
    "go": "apt-get install golang-go (1.21 or newer; Debian 12 has it in bookworm-backports)",
    "docker": "apt-get install docker.io docker-compose-v2",
}
KAFKA_NEEDS_JAVA = 17
MINIO_NEEDS_GO = (1, 21)
"""From this version on, Go fetches the newer compiler that a module asks for by itself."""


def require(*needed: str) -> None:
    """Check that programs are on the PATH.

    Args:
        needed: Names in ``INSTALL``.

    Raises:
        MissingToolError: Some are not there; the message has all of them, and the commands that install them.
    """
    missing = [tool for tool in needed if shutil.which(tool) is None]
    if missing:
        raise MissingToolError({tool: f"is not installed. Install it with: {INSTALL[tool]}" for tool in missing})


def require_java() -> None:
    """Check that there is a Java which is new enough for the Kafka broker.

    Raises:
        MissingToolError: There is none, or it is older than 17.
    """
    require("java")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    version = java_major_version(said)
    if version < KAFKA_NEEDS_JAVA:
        problem = f"is version {version}, Kafka needs {KAFKA_NEEDS_JAVA}. Install it with: {INSTALL['java']}"
        raise MissingToolError({"java": problem})


def require_go() -> None:
    """Check that there is a Go which can build MinIO.

    Raises:
        MissingToolError: There is none, or it is older than 1.21.
    """
    require("go")
    said = subprocess.run(["go", "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    version = tuple(map(int, found.groups())) if found else (0, 0)
    if version < MINIO_NEEDS_GO:
        problem = f"is version {version[0]}.{version[1]}, MinIO needs 1.21. Install it with: {INSTALL['go']}"
        raise MissingToolError({"go": problem})


def java_major_version(said: str) -> int:
    """Read the major version from what ``java -version`` prints.

    Args:
        said: Its whole output, such as ``openjdk version "17.0.15" 2025-04-15``.

    Returns:
        17 for the example, 8 for ``"1.8.0_442"``, 0 where no version is found.
    """
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found.group(1)) if found else 0
