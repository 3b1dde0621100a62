"""Tokens of ours against PyJWT, and against those who would make one."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import jwt
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import LeaseLostError, UnauthenticatedError
from shared.security import Lease, Principal, read_internal, read_lease, sign_internal, sign_lease

SECRET = "a secret that is long enough for HS256, by far"
ANA = Principal(tenant_id="acme", subject="ana", roles=frozenset({"annotator"}), projects=frozenset({"support"}))
LEASE = Lease(
    lease_id="l1",
    tenant_id="acme",
    task_id="s1.first_pass.1",
    stage="first_pass",
    slot="0",
    annotator_id="ana",
    project_id="support",
    project_version=3,
    expires_ms=1_000,
)


@given(st.text(max_size=50), st.integers(0, 2**53))
def test_what_we_sign_another_implementation_reads_and_the_other_way_round(project: str, expires_ms: int):
    lease = LEASE.model_copy(update={"project_id": project, "expires_ms": expires_ms})

    ours = sign_lease(SECRET, lease)
    theirs = jwt.encode({"aud": "labelmesh-lease", "lease": lease.model_dump()}, SECRET, "HS256")

    assert jwt.decode(ours, SECRET, ["HS256"], audience="labelmesh-lease")["lease"] == lease.model_dump()
    assert read_lease(SECRET, theirs, ANA, lease.task_id) == read_lease(SECRET, ours, ANA, lease.task_id) == lease


def test_who_calls_is_read_back():
    token = sign_internal(SECRET, ANA, "r1", datetime.now(UTC))

    assert read_internal(SECRET, token) == (ANA, "r1")


@given(st.data())
def test_a_token_with_any_character_changed_is_refused(data: st.DataObject):
    token = sign_lease(SECRET, LEASE)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters().filter(lambda character: character != token[at]))

    with pytest.raises(LeaseLostError):
        read_lease(SECRET, token[:at] + other + token[at + 1 :], ANA, LEASE.task_id)


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        jwt.encode(
            {"aud": "labelmesh-lease", "lease": LEASE.model_dump()}, "another secret of the same length", "HS256"
        ),
        jwt.encode({"aud": "labelmesh-lease", "lease": LEASE.model_dump()}, None, "none"),
        jwt.encode({"aud": "labelmesh-lease", "lease": LEASE.model_dump()}, SECRET * 2, "HS512"),
        jwt.encode({"aud": "labelmesh-lease"}, SECRET, "HS256"),
        jwt.encode({"lease": LEASE.model_dump()}, SECRET, "HS256"),
        jwt.encode({"aud": "labelmesh-internal", "lease": LEASE.model_dump()}, SECRET, "HS256"),
        sign_lease(SECRET, LEASE) + ".",
        sign_lease(SECRET, LEASE) + "=",
        sign_lease(SECRET, LEASE).rpartition(".")[0] + ".",
    ],
)
def test_what_is_not_a_lease_of_ours_is_refused(token: str):
    with pytest.raises(LeaseLostError):
        read_lease(SECRET, token, ANA, LEASE.task_id)


def test_a_header_that_asks_for_no_check_is_not_heeded():
    _, payload, _ = sign_lease(SECRET, LEASE).split(".")
    header = base64.urlsafe_b64encode(orjson.dumps({"alg": "none", "typ": "JWT"})).rstrip(b"=").decode()

    with pytest.raises(LeaseLostError):
        read_lease(SECRET, f"{header}.{payload}.", ANA, LEASE.task_id)


def test_a_lease_of_somebody_else_or_for_another_task_is_refused():
    token = sign_lease(SECRET, LEASE)

    for principal, task in ((ANA, "s2.first_pass.1"), (ANA.model_copy(update={"subject": "bo"}), LEASE.task_id)):
        with pytest.raises(LeaseLostError):
            read_lease(SECRET, token, principal, task)


def test_who_called_a_minute_ago_is_not_who_calls_now():
    old = sign_internal(SECRET, ANA, "r1", datetime.now(UTC) - timedelta(seconds=61))

    for token in (old, sign_lease(SECRET, LEASE), "", "é"):
        with pytest.raises(UnauthenticatedError):
            read_internal(SECRET, token)
