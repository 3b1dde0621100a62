"""What the gateway keeps, on MongoDB (or its stand-in)."""

from __future__ import annotations

import pytest

from services.gateway.idempotency import MongoAnswers
from services.gateway.keys import KeyBody, KeyStore
from shared.errors import ConflictError, NotFoundError
from shared.mongo import Database
from tests.answer_rules import AnswerRules
from tests.builders import TENANT
from tests.fakes import FakeClock


class TestAnswersOnServer(AnswerRules):
    """Everything that the fake keeps."""

    @pytest.fixture
    async def answers(self, database: Database) -> MongoAnswers:
        answers = MongoAnswers(database)
        await answers.ensure_indexes()
        return answers


async def test_keys_are_listed_page_by_page_without_secrets_and_deleted_by_their_tenant_alone(database: Database):
    keys = KeyStore(database, "pepper", FakeClock())
    await keys.ensure_indexes()
    body = KeyBody(subject="ana", roles=["annotator"])
    made = [await keys.create(TENANT, body) for _ in range(3)]
    [key, _] = await keys.create("globex", body)

    first = await keys.list(TENANT, None, 2)
    rest = await keys.list(TENANT, first[-1].id, 2)
    with pytest.raises(NotFoundError):
        await keys.delete(TENANT, key.id)
    await keys.delete(TENANT, rest[0].id)

    assert [each.id for each in [*first, *rest]] == sorted(key.id for key, _ in made)
    assert len(await keys.list(TENANT, None, 9)) == 2


async def test_a_request_that_is_repeated_makes_one_key(database: Database):
    keys = KeyStore(database, "pepper", FakeClock())
    body = KeyBody(subject="ana", roles=["annotator"])
    [key, _] = await keys.create(TENANT, body, "cause")

    with pytest.raises(ConflictError, match=key.id):
        await keys.create(TENANT, body, "cause")
