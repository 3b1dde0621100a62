"""Answers kept in memory, as the gateway's tests use them."""

from __future__ import annotations

import pytest

from tests.answer_rules import AnswerRules, MemoryAnswers


class TestAnswersInMemory(AnswerRules):
    @pytest.fixture
    def answers(self) -> MemoryAnswers:
        return MemoryAnswers()
