"""Labels as people read them, in their language."""

from collections.abc import Iterable, Sequence
from typing import Any

from shared.labels.taxonomy.model import Taxonomy


def labels_in(taxonomy: Taxonomy, languages: Sequence[str], only: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """Return labels with their texts in one language each.

    Args:
        taxonomy: The taxonomy.
        languages: BCP 47, the preferred first; a label that has none of them comes in the taxonomy's own.
        only: The ids wanted, in any order; None: all.

    Returns:
        Per label, in the taxonomy's order: ``id``, ``path`` (the names from the root down to it), ``parent``, its
        texts, their ``language``, and ``retired`` where it is out of use.
    """
    wanted = taxonomy.by_id.keys() if only is None else set(only)
    texts = {label.id: label.text(languages, taxonomy.language) for label in taxonomy.labels}
    shown = []
    for label in taxonomy.labels:
        if label.id not in wanted:
            continue
        language, text = texts[label.id]
        view: dict[str, Any] = {
            "id": label.id,
            "parent": label.parent,
            "path": [texts[above][1].name for above in taxonomy.path(label.id)],
            "language": language,
            "name": text.name,
            "definition": text.definition,
            "synonyms": list(text.synonyms),
            "examples": list(text.examples),
        }
        if label.retired is not None:
            view["retired"] = label.retired.model_dump(mode="json")
        shown.append(view)
    return shown
