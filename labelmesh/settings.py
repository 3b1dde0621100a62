"""Where the gateway is and who calls: from options, else the environment, else the stack's own settings file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

DEFAULT_URL = "http://127.0.0.1:18080"


class Connection(NamedTuple):
    """The gateway's address and an API key."""

    url: str
    key: str


def connection(url: str | None, key: str | None, folder: Path | None = None) -> Connection:
    """Return whom to call and as whom.

    Args:
        url: The address, if given; else ``LABELMESH_URL``, else ``LABELMESH_GATEWAY_URL`` of ``.env``.
        key: The key, if given; else ``LABELMESH_API_KEY``, else ``LABELMESH_OWNER_KEY`` of ``.env``.
        folder: Where ``.env`` is looked for; the current folder by default.

    Raises:
        LookupError: There is no key anywhere, or the address is none.
    """
    file = _read((folder or Path()) / ".env")
    found_url = url or os.environ.get("LABELMESH_URL") or file.get("LABELMESH_GATEWAY_URL") or DEFAULT_URL
    found_key = key or os.environ.get("LABELMESH_API_KEY") or file.get("LABELMESH_OWNER_KEY")
    if not found_url.startswith(("http://", "https://")):
        raise LookupError(f"{found_url!r} is no address; give one as in {DEFAULT_URL}.")
    if not found_key:
        raise LookupError("No API key: give --key, set LABELMESH_API_KEY, or run where `make up` wrote .env.")
    if not (found_key.isascii() and found_key.isprintable()):
        raise LookupError("The API key has characters that no key has; copy it again.")
    return Connection(found_url, found_key)


def _read(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    lines = (line.partition("=") for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in lines}
