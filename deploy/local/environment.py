"""The one `.env` of a stack: which settings there are, and the file that keeps them."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from deploy.local.errors import LocalStackError

SERVICES = ("gateway", "ingest", "task_assignment", "annotation_store", "qa", "versioning", "feedback")

SERVER_PORTS = {"KAFKA": 19092, "KAFKA_CONTROLLER": 19093, "MONGO": 27117, "MINIO": 19000}
SERVICE_PORTS = {name.upper(): 18080 + number for number, name in enumerate(SERVICES)}
PORTS = SERVER_PORTS | SERVICE_PORTS

OPTIONAL_SETTINGS = frozenset({"LABELMESH_OWNER_KEY"})
"""Not there from the start: `ops.cli bootstrap` adds the owner key of the first tenant."""

HEADER = """\
# Settings and secrets of this Labelmesh stack, made at the first `make up`. Keep it private; it is not in git.
# Missing settings are appended, none is ever overwritten. `make clean` forgets the data and this file.
"""


def default_settings(port_offset: int = 0) -> dict[str, str]:
    """All settings of a new stack, with fresh secrets.

    Args:
        port_offset: Added to every port, so that a second stack can run beside the first.

    Returns:
        Names (``LABELMESH_*``) and values, in the order in which they are written.
    """
    ports = {name: port + port_offset for name, port in PORTS.items()}
    addresses = {
        "KAFKA_BOOTSTRAP": f"127.0.0.1:{ports['KAFKA']}",
        # Direct, since the replica set of the Compose stack names its member by a host that only containers know.
        "MONGO_URL": f"mongodb://127.0.0.1:{ports['MONGO']}/?directConnection=true",
        "MINIO_ENDPOINT": f"127.0.0.1:{ports['MINIO']}",
        "MEDIA_PUBLIC_URL": f"http://127.0.0.1:{ports['MINIO']}",
        **{f"{name}_URL": f"http://127.0.0.1:{ports[name]}" for name in SERVICE_PORTS},
    }
    behaviour = {
        "HOST": "127.0.0.1",
        "ALLOWED_ORIGINS": f"http://127.0.0.1:{ports['GATEWAY']}",
        "COMMIT_DELAY_SECONDS": "60",
        "PARTITIONS": "12",
        "REPLICATION": "1",
    }
    secret = {
        "MINIO_ACCESS_KEY": secrets.token_hex(10),
        "MINIO_SECRET_KEY": secrets.token_urlsafe(30),
        "INTERNAL_SECRET": secrets.token_urlsafe(48),
        "LEASE_SECRET": secrets.token_urlsafe(48),
        "API_KEY_PEPPER": secrets.token_urlsafe(48),
    }
    numbered = {f"{name}_PORT": str(port) for name, port in ports.items()}
    return {f"LABELMESH_{name}": value for name, value in (numbered | addresses | behaviour | secret).items()}


def setting_names() -> frozenset[str]:
    """The names of all settings that a stack always has; both ways to run it must know the same ones."""
    return frozenset(default_settings())


def read(path: Path) -> dict[str, str]:
    """Read a `.env` file.

    Args:
        path: The file; one that does not exist has no settings.

    Returns:
        Names and values. Comments and blank lines are skipped, quotes around a value are taken off.

    Raises:
        LocalStackError: A line is neither ``NAME=value`` nor a comment.
    """
    if not path.exists():
        return {}
    settings = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if not name or name.startswith("#"):
            continue
        if not equals:
            raise LocalStackError(f"{path}, line {number}: expected NAME=value, found {line!r}. Correct that line.")
        settings[name.strip()] = value.strip().strip("\"'")
    return settings


def complete(path: Path, port_offset: int = 0) -> dict[str, str]:
    """Make the `.env` file, or append to an old one what it does not have yet.

    Args:
        path: The file. Its mode becomes 600.
        port_offset: Added to the default ports of a new file; an old file keeps the ports it has.

    Returns:
        All settings in the file.

    Raises:
        LocalStackError: The file has a line that cannot be read, or two settings in it contradict each other.
    """
    present = read(path)
    missing = {
        name: value for name, value in default_settings(_offset_of(present, port_offset)).items() if name not in present
    }
    if missing:
        append(path, missing)
    settings = present | missing
    _check_ports(settings, path)
    return settings


def append(path: Path, settings: Mapping[str, str]) -> None:
    """Add settings to the end of a `.env` file, which only its owner may read.

    Args:
        path: The file; it is made when it is not there.
        settings: Names and values to add.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    start = "" if path.exists() else HEADER
    if path.exists() and not path.read_text().endswith("\n"):
        start = "\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(start + "".join(f"{name}={value}\n" for name, value in settings.items()))


def look(path: Path, port_offset: int = 0) -> dict[str, str]:
    """The settings of a stack that may not have been made yet; nothing is written.

    Args:
        path: Its `.env` file.
        port_offset: Added to the default ports.

    Returns:
        What the file says, and the defaults for what it does not say.
    """
    present = read(path)
    return default_settings(_offset_of(present, port_offset)) | present


def for_programs(settings: Mapping[str, str], env_file: Path, home: Path) -> dict[str, str]:
    """What a program of a stack finds in its environment.

    Args:
        settings: What `.env` says.
        env_file: Where that file is.
        home: The folder of the stack.

    Returns:
        The caller's environment with the settings over it, and both places.
    """
    places = {"LABELMESH_ENV_FILE": str(env_file), "LABELMESH_HOME": str(home)}
    return {**os.environ, **settings, **places}


def _offset_of(present: Mapping[str, str], port_offset: int) -> int:
    """A setting appended to an old file takes the offset that its ports already have."""
    port = present.get("LABELMESH_GATEWAY_PORT")
    return int(port) - PORTS["GATEWAY"] if port else port_offset


def _check_ports(settings: Mapping[str, str], path: Path) -> None:
    """An address and the port that its process listens on are written twice, and must agree."""
    pairs = {"KAFKA": "KAFKA_BOOTSTRAP", "MONGO": "MONGO_URL", "MINIO": "MINIO_ENDPOINT"}
    for name, address in (pairs | {service: f"{service}_URL" for service in SERVICE_PORTS}).items():
        port, where = settings[f"LABELMESH_{name}_PORT"], settings[f"LABELMESH_{address}"]
        if f":{port}" not in where:
            raise LocalStackError(
                f"{path}: LABELMESH_{name}_PORT is {port}, but LABELMESH_{address} is {where}. Give both the same port."
            )
