"""Takes the newest change of a taxonomy back, without forgetting the labels that it brought."""

from shared.labels.taxonomy.model import Retirement, Taxonomy


def roll_back(before: Taxonomy, after: Taxonomy, *, version: int, migration: str) -> Taxonomy:
    """Return the taxonomy as it was before a change, as a new version.

    Args:
        before: The version that the change was made to.
        after: The version that it made, which is the newest.
        version: The number of the new version.
        migration: The id of the rollback.

    Returns:
        ``before``, with the labels that the change had added out of use: samples may have got them meanwhile, and an
        id never means something else.
    """
    retired = Retirement(by="rollback", version=version, migration=migration)
    added = [
        label.model_copy(update={"parent": _kept_parent(label.parent, before), "retired": label.retired or retired})
        for label in after.labels
        if label.id not in before.by_id
    ]
    return before.model_copy(update={"labels": (*before.labels, *added)})


def _kept_parent(parent: str | None, before: Taxonomy) -> str | None:
    return parent if parent in before.by_id else None
