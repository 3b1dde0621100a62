"""Uploads are checked before they come, and what was declared of them travels in their signed address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.domain.upload_limits import upload_faults
from services.gateway.media import PartsToken
from shared.declared import Declared
from shared.errors import ForbiddenError
from shared.ids import new_id
from shared.media import upload_object
from shared.multipart import PARTS_FROM, part_size_of, sizes_of
from shared.security import Principal
from tests.builders import TENANT, a_parsed_spec

SECRET = "a secret that is long enough for HS256"
ASSETS = {
    "photo": {"modality": "image", "max_bytes": 1000},
    "voice": {"modality": "audio", "max_bytes": 5000},
    "ticket": {"modality": "record"},
}
FIELDS = {"verdict": {"kind": "choice", "options": ["good", "bad"]}}


@pytest.mark.parametrize(
    ("size", "media_type", "slot", "codes"),
    [
        (900, "image/jpeg", "photo", []),
        (900, "application/octet-stream", None, []),
        (4000, "audio/wav", None, []),
        (1001, "image/jpeg", "photo", ["/size too-many-bytes"]),
        (5001, "application/octet-stream", None, ["/size too-many-bytes"]),
        (900, "video/mp4", "photo", ["/media_type wrong-type"]),
        (900, "video/mp4", None, []),
        (9000, "audio/wav", "photo", ["/media_type wrong-type", "/size too-many-bytes"]),
        (900, "image/jpeg", "foto", ["/slot unknown-asset"]),
        (900, "application/json", "ticket", ["/slot wrong-type"]),
    ],
)
def test_what_no_slot_takes_is_refused_before_it_comes(
    size: int, media_type: str, slot: str | None, codes: list[str]
) -> None:
    faults = upload_faults(a_parsed_spec(assets=ASSETS, fields=FIELDS), size, media_type, slot)

    assert [f"{fault.pointer} {fault.code}" for fault in faults] == codes


@given(
    size=st.none() | st.integers(1, 10**12),
    sha256=st.none() | st.text("0123456789abcdef", min_size=64, max_size=64),
    media_type=st.none() | st.text(min_size=1, max_size=200),
    filename=st.text(min_size=1, max_size=300),
)
def test_what_was_declared_is_read_from_the_address(
    size: int | None, sha256: str | None, media_type: str | None, filename: str
) -> None:
    declared = Declared(size, sha256, media_type)

    name = upload_object(TENANT, new_id(), filename, declared.segment())

    assert Declared.of(name) == declared
    assert name.isascii() and len(name) < 1024


def test_an_address_without_a_declaration_says_nothing() -> None:
    assert Declared.of(upload_object(TENANT, new_id(), "photo.jpg")) == Declared()


@given(size=st.integers(PARTS_FROM + 1, 50 * 1024**3))
def test_parts_cover_a_file_exactly_and_are_few(size: int) -> None:
    sizes = sizes_of(size)

    assert sum(sizes.values()) == size
    assert list(sizes) == list(range(1, len(sizes) + 1)) and len(sizes) <= 200
    assert all(part == part_size_of(size) for part in list(sizes.values())[:-1])
    assert part_size_of(size) >= 5 * 1024**2  # the least that S3 takes, but for the last


def a_token(**changes: Any) -> PartsToken:
    known = {"tenant_id": TENANT, "upload_id": "u", "object": "media/x", "store_id": "s", "size": 10**8}
    return PartsToken(**(known | changes))


def a_caller(tenant: str = TENANT) -> Principal:
    return Principal(tenant_id=tenant, subject="mo", roles=frozenset({"manager"}), projects=frozenset())


def test_a_token_is_good_for_its_own_upload_and_tenant_alone() -> None:
    token = a_token().sign(SECRET, datetime.now(UTC))
    old = a_token().sign(SECRET, datetime.now(UTC) - timedelta(hours=25))

    assert PartsToken.read(SECRET, token, a_caller(), "u") == a_token()
    for secret, given_token, caller, upload in [
        (SECRET, token, a_caller("other"), "u"),
        (SECRET, token, a_caller(), "another"),
        (SECRET[::-1], token, a_caller(), "u"),
        (SECRET, old, a_caller(), "u"),
        (SECRET, "no token", a_caller(), "u"),
    ]:
        with pytest.raises(ForbiddenError):
            PartsToken.read(secret, given_token, caller, upload)
