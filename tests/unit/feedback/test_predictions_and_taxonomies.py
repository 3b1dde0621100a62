"""Predictions against labels of a taxonomy that changes: a migration makes none wrong, and none right."""

from __future__ import annotations

from typing import Any

import pytest

from shared.events import Event
from shared.events.feedback import PredictionJudged
from shared.labels.taxonomy import apply_operations
from shared.labels.taxonomy.binding import bind_spec
from tests.builders import (
    TENANT,
    a_catalog,
    a_label_recorded,
    a_prediction_submitted,
    a_project_spec,
    a_project_versioned,
    a_taxonomy,
    a_taxonomy_versioned,
)
from tests.unit.feedback.feedback_under_test import FeedbackUnderTest

FIELD = {"kind": "choice", "taxonomy": {"name": "animals"}}


async def bound_versions() -> list[Event]:
    """Return a taxonomy before and after ducks became geese, and a project that is bound to each."""
    merge: list[dict[str, Any]] = [{"op": "merge", "labels": ["duck"], "into": "goose"}]
    after = apply_operations(a_taxonomy(), merge, version=2, migration="m-1").taxonomy
    assert after is not None
    taxonomies = [a_taxonomy_versioned(), a_taxonomy_versioned(taxonomy_version=2, content=after.to_json())]
    projects = []
    for number in (1, 2):
        known = (await a_catalog(*taxonomies[:number])).taxonomies.lookup(TENANT)
        spec = bind_spec(a_project_spec(fields={"animal": FIELD}), known).raw
        projects.append(a_project_versioned(version=number, spec=spec))
    return [*taxonomies, *projects]


@pytest.mark.parametrize(("predicted", "errors"), [("duck", [0.0, 0.0, 0.0]), ("goose", [1.0, 0.0, 1.0])])
async def test_a_prediction_is_compared_by_what_took_the_place_of_its_label(predicted: str, errors: list[float]):
    feedback = await FeedbackUnderTest.of(*await bound_versions())
    given = a_label_recorded(fields={"animal": "duck"}, content_hash="duck")
    migrated = a_label_recorded(fields={"animal": "goose"}, content_hash="goose", revision=2, project_version=2)
    restored = a_label_recorded(fields={"animal": "duck"}, content_hash="duck", revision=3)

    await feedback.hear(a_prediction_submitted(fields={"animal": predicted}), given, migrated, restored)

    assert [each.errors["animal"] for each in feedback.announced.of(PredictionJudged)] == errors
