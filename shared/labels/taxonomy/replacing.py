"""A taxonomy that is published as a whole, in the place of the version before."""

from shared.labels.faults import Fault, bounded, quoted
from shared.labels.taxonomy.model import Taxonomy, TaxonomyLabel


def with_retired(before: Taxonomy, wish: Taxonomy) -> Taxonomy:
    """Return a wish with the labels out of use that it leaves out, each after the label that it stood behind."""
    labels = {label.id: label for label in wish.labels}
    behind: dict[str | None, list[TaxonomyLabel]] = {}
    anchor: str | None = None
    for label in before.labels:
        if label.id in labels:
            anchor = label.id
        elif label.retired is not None:
            behind.setdefault(anchor, []).append(label)
    ordered = [*behind.get(None, [])]
    for label in wish.labels:
        ordered += [label, *behind.get(label.id, [])]
    return wish.model_copy(update={"labels": tuple(ordered)})


def check_replacement(before: Taxonomy | None, after: Taxonomy) -> list[Fault]:
    """Find what a taxonomy that is published as a whole may not do.

    A whole may add labels, rename and move them. What takes labels out of use changes samples, and is a migration.

    Args:
        before: The newest version, None where there is none.
        after: The wish.

    Returns:
        Faults with pointers into the wish; ``/labels/<n>`` counts in its flat order.
    """
    known = {} if before is None else before.by_id
    faults = []
    for position, label in enumerate(after.labels):
        was = known.get(label.id)
        if label.retired != (None if was is None else was.retired):
            message = f"Whether {quoted(label.id)} is in use is changed by migrations alone; leave `retired` as it is."
            faults.append(Fault(pointer=f"/labels/{position}/retired", code="read-only", message=message))
    for gone in sorted(known.keys() - after.by_id.keys()):
        message = f"{quoted(gone)} is missing, and samples may have it; merge or deprecate it by a migration."
        faults.append(Fault(pointer="/labels", code="missing-label", message=message))
    return bounded(faults)
