"""Error of time ranges: diarization error where there are speakers, and what is said where there is text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.feedback.domain.errors.values import character_errors
from shared.labels.kinds import SegmentsOptions

Item = Mapping[str, Any]
Voice = tuple[str, str]
"""Label and speaker of a segment; the speaker is empty where there is none."""


def segments_error(options: SegmentsOptions, label: Sequence[Item], prediction: Sequence[Item]) -> float:
    """Return the share of time that is wrong, or its mean with the character error rate where segments carry text.

    At each moment the larger number of voices in label and prediction is counted, and as wrong what of them has no
    partner of the same label and speaker; names of speakers do not matter, they are matched one to one by the time
    they share, the longest first. Texts are joined in order of time.

    Source: NIST, "The 2009 Rich Transcription Meeting Recognition Evaluation Plan" (2009), diarization error rate;
    divided here by the larger of both instead of the label's time, so that it ends at 1.
    """
    moments = list(_moments(label, prediction))
    partner = _partners(moments)
    total = sum(seconds * max(len(wanted), len(given)) for seconds, wanted, given in moments)
    right = sum(
        seconds * len(wanted & {partner[voice] for voice in given if voice in partner})
        for seconds, wanted, given in moments
    )
    time_error = 1 - right / total if total else 0.0
    texts = [_text(of) for of in (label, prediction)]
    return (time_error + character_errors(*texts)) / 2 if any(texts) else time_error


def _moments(
    label: Sequence[Item], prediction: Sequence[Item]
) -> Iterator[tuple[float, frozenset[Voice], frozenset[Voice]]]:
    """Yield stretches of time in which nothing changes: seconds, voices of the label, voices of the prediction."""
    changes = sorted(
        (at, side, step, (item["label"], item.get("speaker") or ""))
        for side, items in enumerate((label, prediction))
        for item in items
        for at, step in ((item["start"], 1), (item["end"], -1))
    )
    active: tuple[Counter[Voice], Counter[Voice]] = (Counter(), Counter())
    before = changes[0][0] if changes else 0.0
    for at, side, step, voice in changes:
        if at > before:
            yield at - before, frozenset(+active[0]), frozenset(+active[1])
            before = at
        active[side][voice] += step


def _partners(moments: Sequence[tuple[float, frozenset[Voice], frozenset[Voice]]]) -> dict[Voice, Voice]:
    """Match each voice of the prediction with the one of the label that it shares most time with, one to one."""
    shared: defaultdict[tuple[Voice, Voice], float] = defaultdict(float)
    for seconds, wanted, given in moments:
        for theirs in given:
            for ours in wanted:
                if theirs[0] == ours[0]:
                    shared[theirs, ours] += seconds
    partner: dict[Voice, Voice] = {}
    for (theirs, ours), _ in sorted(shared.items(), key=lambda entry: (-entry[1], entry[0])):
        if theirs not in partner and ours not in partner.values():
            partner[theirs] = ours
    return partner


def _text(items: Sequence[Item]) -> str:
    ordered = sorted(items, key=lambda item: (item["start"], item["end"]))
    return " ".join(item["text"] for item in ordered if item.get("text"))
