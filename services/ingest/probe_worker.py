"""The process in which strangers' files are read: ``python -m services.ingest.probe_worker``.

It is started by ``ProbePool`` and speaks length-prefixed JSON over two pipes, previews as bytes behind it, so that a decoder which a file has taken
over can hand its parent nothing but data. It holds no secret, may write no file, and dies by itself when its parent
is gone or when one file takes too long.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from services.ingest.domain.finding import Finding
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.policies import PiiPolicy

Probe = Callable[[Path, str, str, str | None, PiiPolicy | None], Finding]
LENGTH = struct.Struct(">I")
READY = b"{}"


def main() -> None:
    """Answer one request after the other until the pipe is closed."""
    arguments = _arguments()
    probe = _load(arguments.probe)
    _limit(arguments.memory_bytes)
    answers = _take_outputs()
    _write(answers, READY)
    while (request := _read(sys.stdin.buffer)) is not None:
        signal.alarm(arguments.alarm_seconds)  # without a handler it ends the process even inside a decoder's loop
        answer, contents = _answer(probe, json.loads(request))
        signal.alarm(0)
        for message in (json.dumps(answer).encode(), *contents):
            _write(answers, message)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True, help="module:function to call for each file")
    parser.add_argument("--memory-bytes", type=int, required=True)
    parser.add_argument("--alarm-seconds", type=int, required=True)
    return parser.parse_args()


def _take_outputs() -> BinaryIO:
    """Keep the answer pipe to ourselves, and the service's log too: what C libraries print comes from strangers."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _load(name: str) -> Probe:
    module, _, function = name.partition(":")
    probe: Probe = getattr(importlib.import_module(module), function)
    return probe


def _limit(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _answer(probe: Probe, request: dict[str, Any]) -> tuple[dict[str, Any], Sequence[bytes]]:
    """Return what was found, or why nothing was, and the contents of the previews that it names."""
    policy = None if request["pii"] is None else PiiPolicy.model_validate(request["pii"])
    path, modality, filename = Path(request["path"]), request["modality"], request["filename"]
    try:
        found = probe(path, modality, filename, request["declared_media_type"], policy)
    except MediaRejectedError as error:
        return {"rejected": error.code, "detail": error.detail}, ()
    except MemoryError:
        return {"rejected": "probe-out-of-memory"}, ()
    except OSError as error:
        return {"unreadable": str(error)}, ()
    except Exception:
        # Our own mistake, but this file's fate: retrying it for ever would stop all behind it.
        return {"rejected": "probe-failed", "trace": traceback.format_exc()}, ()
    previews = [{"name": preview.name, "media_type": preview.media_type} for preview in found.previews]
    facts = found.facts.model_dump(mode="json", exclude_none=True)
    pii = [finding.model_dump() for finding in found.pii]
    told = {"facts": facts, "previews": previews, "pii": pii, "is_masked": found.is_masked, "sha256": found.sha256}
    return told, [preview.content for preview in found.previews]


def _read(pipe: BinaryIO) -> bytes | None:
    header = pipe.read(LENGTH.size)
    if len(header) < LENGTH.size:
        return None
    return pipe.read(LENGTH.unpack(header)[0])


def _write(pipe: BinaryIO, message: bytes) -> None:
    pipe.write(LENGTH.pack(len(message)) + message)
    pipe.flush()


if __name__ == "__main__":
    main()
