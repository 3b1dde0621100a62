"""The guidelines as they come with a claimed task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.labels.guidelines import Guideline


def what_to_read(guidelines: Mapping[str, Guideline], version: int, seen: int) -> dict[str, Any]:
    """Return what an annotator reads before they label.

    Args:
        guidelines: By modality or field.
        version: Theirs, counted from 1.
        seen: The version that came with the annotator's last task of the project; 0 where there was none.

    Returns:
        ``version``, ``seen`` (None before the first task), ``changed`` (the last task came with other guidelines),
        ``text`` (Markdown by modality or field) and ``examples`` (lists, of those that have any).
    """
    return {
        "version": version,
        "seen": seen or None,
        "changed": bool(seen) and seen != version,
        "text": {name: guideline.text for name, guideline in guidelines.items()},
        "examples": {
            name: [example.model_dump(mode="json", exclude_none=True) for example in guideline.examples]
            for name, guideline in guidelines.items()
            if guideline.examples
        },
    }
