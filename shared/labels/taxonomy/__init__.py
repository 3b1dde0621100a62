"""Taxonomies: trees of labels with stable ids, their changes, and how fields are bound to them."""

from shared.labels.taxonomy.model import LabelText, Retirement, Taxonomy, TaxonomyBinding, TaxonomyLabel
from shared.labels.taxonomy.operations import Change, apply_operations
from shared.labels.taxonomy.reading import TaxonomyCheck, check_taxonomy
from shared.labels.taxonomy.replacing import check_replacement, with_retired
from shared.labels.taxonomy.rollback import roll_back

__all__ = [
    "Change",
    "LabelText",
    "Retirement",
    "Taxonomy",
    "TaxonomyBinding",
    "TaxonomyCheck",
    "TaxonomyLabel",
    "apply_operations",
    "check_replacement",
    "check_taxonomy",
    "roll_back",
    "with_retired",
]
