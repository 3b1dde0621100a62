"""A probe that a test puts into a worker instead of the real one: the file's name says how it misbehaves."""

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from services.ingest.domain.finding import Finding
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.facts import AssetFacts
from shared.labels.policies import PiiPolicy


def misbehave(
    path: Path, modality: str, filename: str, declared_media_type: str | None, pii: PiiPolicy | None
) -> Finding:
    """Do what the name says; where the worker survives it, tell its process id as the size."""
    BEHAVIOURS[filename](path)
    return Finding(AssetFacts(modality="text", size=os.getpid(), text="\n".join(os.environ)))


def spin(path: Path) -> None:
    while True:
        pass


def be_killed_once(path: Path) -> None:
    """What the machine's OOM killer does to an innocent: the second try meets the mark and goes well."""
    if not path.exists():
        path.mkdir()  # a folder, since a worker may not write files
        os.kill(os.getpid(), signal.SIGKILL)


def eat_memory(path: Path) -> None:
    bytearray(8 * 1024**3)


def make_a_mistake(path: Path) -> None:
    raise KeyError("a mistake of ours")


def refuse(path: Path) -> None:
    raise MediaRejectedError("made-up", "It is refused.")


BEHAVIOURS: dict[str, Callable[[Path], object]] = {
    "work": lambda path: None,
    "hang": lambda path: time.sleep(600),
    "spin": spin,
    "segfault": lambda path: ctypes.string_at(0),
    "die": lambda path: os._exit(3),
    "be-killed-once": be_killed_once,
    "eat-memory": eat_memory,
    "make-a-mistake": make_a_mistake,
    "refuse": refuse,
    "read": lambda path: path.read_bytes(),
    "write": lambda path: path.write_bytes(b"a file"),
    "chatter": lambda path: os.write(1, b"a C library prints this to standard output"),
}
