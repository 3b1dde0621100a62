"""The benchmark of the check: what it measures is typical, is accepted, and needs no stack."""

from __future__ import annotations

import orjson
import pytest

from bench import validate
from bench.__main__ import main
from bench.client import BenchError
from shared.labels.project import check_spec


async def test_the_typical_answer_is_accepted_and_measured(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(validate, "WARM_UP", 1)

    figures, reference = await validate.measure(3)

    assert figures["cpu_ms_p50"] > figures["cpu_ms_p50_rules"] > 0
    assert figures["ratio_to_orjson"] == pytest.approx(figures["cpu_ms_p50"] / reference["orjson_loads_ms_p50"])


def test_the_answer_is_as_large_as_its_name_says():
    answer = validate.answer()
    choices = [value for name, value in answer.items() if name.startswith("choice_")]

    assert [len(answer[name]) for name in ("things", "names", "speech")] == [20, 10, 5]
    assert (len(choices), len(validate.SPEC["rules"])) == (8, 3)


def test_an_answer_that_is_refused_is_not_measured():
    spec = check_spec(validate.SPEC).spec
    assert spec is not None

    with pytest.raises(BenchError, match="is refused"):
        validate.validated(spec, orjson.dumps({"fields": {"names": "none"}}))


def test_it_runs_without_a_stack(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(validate, "WARM_UP", 1)

    assert main(["validate", "--checks", "2", "--results", str(tmp_path)]) == 0
    assert (tmp_path / "validate.json").is_file()
