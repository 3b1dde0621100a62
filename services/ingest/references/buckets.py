"""The buckets that an operator has registered: what of the object store a tenant may name by s3:// addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from string import ascii_letters, digits, punctuation
from typing import Final
from urllib.parse import quote, unquote

from services.ingest.domain.rejection import MediaRejectedError

S3: Final = "s3://"
_PLAIN: Final = (ascii_letters + digits + punctuation).replace("%", "")
"""What stands for itself in an address."""


class Buckets:
    """What s3:// addresses may begin with, by tenant."""

    def __init__(self, beginnings: Mapping[str, Sequence[str]]) -> None:
        """Take, by tenant, ``bucket/`` or ``bucket/prefix`` of what it may name."""
        self._beginnings = beginnings

    def tenants_of(self, name: str) -> list[str]:
        """Return the tenants that may name a ``bucket/key``."""
        return [tenant for tenant, some in self._beginnings.items() if name.startswith(tuple(some))]

    def by_bucket(self) -> Mapping[str, str]:
        """Return the registered buckets, each with what its keys begin with where one prefix alone is registered."""
        keys: dict[str, set[str]] = {}
        for beginning in chain.from_iterable(self._beginnings.values()):
            bucket, _, key = beginning.partition("/")
            keys.setdefault(bucket, set()).add(key)
        return {bucket: min(some) if len(some) == 1 else "" for bucket, some in keys.items()}

    def name(self, tenant_id: str, uri: str) -> str:
        """Return the ``bucket/key`` that an address names, if the tenant may name it.

        Raises:
            MediaRejectedError: ``unregistered-bucket``.
        """
        name = unquote(uri.removeprefix(S3))
        registered = any(name.startswith(beginning) for beginning in self._beginnings.get(tenant_id, ()))
        if {".", ".."} & set(name.split("/")) or not registered:
            message = f"No registered bucket holds {uri}; ask the operator to register it, or upload the file."
            raise MediaRejectedError("unregistered-bucket", message)
        return name


def address(name: str) -> str:
    """Return the s3:// address of a ``bucket/key``."""
    return S3 + quote(name, safe=_PLAIN)
