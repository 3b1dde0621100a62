"""The check of a typical answer, without the stack: CPU time from the bytes of the body to what is written.

Twenty boxes, ten spans, five segments, eight choices and three rules, as the gateway checks them: decoded, checked field
by field, judged by the rules, and brought into the bytes that are kept.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from bench.client import BenchError
from bench.report import Figures, percentile
from shared.labels.answer import check_answer
from shared.labels.canonical import canonical_json
from shared.labels.facts import AssetFacts
from shared.labels.project import check_spec
from shared.labels.spec import ProjectSpec
from shared.labels.verdicts import evaluate_rules

TEXT: Final = "Ana leaves Bern on 3 May and Bo meets her in Rome. " * 4
FACTS: Final = {
    "chat": AssetFacts(modality="text", text=TEXT, text_length=len(TEXT)),
    "photo": AssetFacts(modality="image", width=1920, height=1080),
    "voice": AssetFacts(modality="audio", duration=60.0),
}
SPEC: Final[dict[str, Any]] = {
    "title": "A typical answer",
    "objective": {"goal": "Measure the check.", "output": "predictive", "modalities": ["text", "image", "audio"]},
    "assets": {slot: {"modality": facts.modality} for slot, facts in FACTS.items()},
    "fields": {
        "things": {"kind": "regions", "asset": "photo", "labels": [f"thing {number}" for number in range(40)]},
        "names": {"kind": "spans", "asset": "chat", "labels": ["person", "city", "date"], "required": True},
        "speech": {"kind": "segments", "asset": "voice", "labels": ["speech", "noise"], "speaker": True, "text": True},
        **{f"choice_{n}": {"kind": "choice", "options": ["yes", "no", "unclear"]} for n in range(8)},
    },
    "rules": [
        {
            "id": "calm-text-calm-voice",
            "expression": '!(fields.choice_0 == "yes" && fields.choice_1 == "no")',
            "message": "The text says yes and the voice no.",
        },
        {
            "id": "who-speaks-is-named",
            "expression": 'fields.speech.all(s, s.label != "noise") || fields.names.exists(n, n.label == "person")',
            "severity": "block",
            "message": "Name who speaks.",
        },
        {
            "id": "things-are-large-enough",
            "expression": "fields.things.all(t, t.width * t.height >= 100.0)",
            "severity": "block",
            "message": "Leave out what is smaller than 100 pixels.",
        },
    ],
}
WARM_UP: Final = 200


async def measure(rounds: int) -> tuple[Figures, Figures]:
    """Check one answer again and again, and decode its body as often.

    Args:
        rounds: How many times.

    Returns:
        CPU time of this process for the whole check and for its parts, in ms, with its ratio to decoding alone; and
        as the reference one ``orjson.loads`` of the same body.
    """
    spec, body = _spec(), orjson.dumps({"fields": answer(), "seconds_spent": 41.5})
    fields = check_answer(spec, FACTS, answer()).fields
    parts: dict[str, Callable[[], object]] = {
        "validate": lambda: validated(spec, body),
        "loads": lambda: orjson.loads(body),
        "check": lambda: check_answer(spec, FACTS, answer_of(body)),
        "rules": lambda: evaluate_rules(spec, FACTS, fields),
    }
    took: dict[str, list[float]] = {name: [] for name in parts}
    for number in range(WARM_UP + rounds):
        for name, run in parts.items():  # by turns, so that a busy neighbour slows all alike
            before = time.thread_time_ns()
            run()
            if number >= WARM_UP:
                took[name].append((time.thread_time_ns() - before) / 1e6)
    gc.collect()
    half = {name: percentile(each, 0.5) for name, each in took.items()}
    figures = {
        "cpu_ms_p50": half["validate"],
        "cpu_ms_p99": percentile(took["validate"], 0.99),
        "ratio_to_orjson": half["validate"] / half["loads"],
        "cpu_ms_p50_check": half["check"] - half["loads"],
        "cpu_ms_p50_rules": half["rules"],
        "body_bytes": float(len(body)),
        "answers": float(rounds),
    }
    return figures, {"orjson_loads_ms_p50": half["loads"]}


def answer() -> dict[str, Any]:
    """Return the answer that is checked."""
    return {
        "things": [_box(number) for number in range(20)],
        "names": [
            {"id": f"n{number}", "start": 20 * number, "end": 20 * number + 3, "label": ("person", "city")[number % 2]}
            for number in range(10)
        ],
        "speech": [_segment(number) for number in range(5)],
        **{f"choice_{number}": ("yes", "unclear")[number % 2] for number in range(8)},
    }


def answer_of(body: bytes) -> dict[str, Any]:
    """Return the fields of a submit's body."""
    fields: dict[str, Any] = orjson.loads(body)["fields"]
    return fields


def validated(spec: ProjectSpec, body: bytes) -> bytes:
    """Check the body of a submit as the gateway does.

    Returns:
        The canonical bytes of its fields.

    Raises:
        BenchError: The answer is refused, or a rule cannot be run: then nothing typical is measured.
    """
    found = check_answer(spec, FACTS, answer_of(body))
    verdicts = evaluate_rules(spec, FACTS, found.fields)
    if found.faults or not all(verdict.passed for verdict in verdicts):
        raise BenchError(f"The typical answer is refused: {[*found.faults, *verdicts]}")
    return canonical_json(found.fields)


def _box(number: int) -> dict[str, Any]:
    place = {"x": 90.25 * number, "y": 40.5 * number, "width": 80.125, "height": 60.75}
    return {"id": f"b{number}", "shape": "box", "label": f"thing {number}", **place}


def _segment(number: int) -> dict[str, Any]:
    times = {"start": 11.5 * number, "end": 11.5 * number + 9.25}
    return {"id": f"g{number}", **times, "label": "speech", "speaker": "Ana", "text": "I leave Bern on 3 May."}


def _spec() -> ProjectSpec:
    check = check_spec(SPEC)
    if check.spec is None:
        raise BenchError(f"The spec is refused: {list(check.faults)}")
    return check.spec
