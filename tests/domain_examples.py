"""The four starter taxonomies, the projects that use them, and a sample and an answer for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.labels.spec_text import parse_spec_text

ROOT = Path(__file__).parents[1] / "examples"
CLAUSE = "The Supplier's liability under this Agreement is limited to the fees paid in the preceding year."
INVOICE = "Invoice 2024-117\nTotal due: EUR 1,190.00\nPayable by 30 June 2024"
LISTING = {"brand": "Aqua", "model": "Bottle 0.5", "colour": "blue", "title": "Drinking bottle, 0.5 l, blue"}


@dataclass(frozen=True)
class DomainExample:
    """A taxonomy, its project, and what a sample of it may look like."""

    taxonomy: str
    project: str
    answer: dict[str, Any]
    texts: dict[str, str] = field(default_factory=dict)
    records: dict[str, Any] = field(default_factory=dict)
    uploads: dict[str, str] = field(default_factory=dict)
    """Files below ``examples/media`` by slot."""

    def taxonomy_text(self) -> str:
        """Return the taxonomy as it stands in its file."""
        return (ROOT / "taxonomies" / f"{self.taxonomy}.yaml").read_text()

    def project_text(self) -> str:
        """Return the project's spec as it stands in its file."""
        return (ROOT / "projects" / self.project / "project.yaml").read_text()

    def spec(self) -> Any:
        """Return the project's spec as values."""
        return parse_spec_text(self.project_text())


DOMAIN_EXAMPLES = (
    DomainExample(
        "image-abnormalities",
        "chest-images",
        answer={
            "quality": "good",
            "abnormalities": ["device.tube", "fracture"],
            "findings": [
                {"id": "f1", "shape": "box", "label": "fracture", "x": 10, "y": 20, "width": 60, "height": 40},
                {"id": "d1", "shape": "box", "label": "device.tube", "x": 100, "y": 5, "width": 30, "height": 120},
            ],
        },
        texts={"indication": "Fell from a ladder."},
        uploads={"image": "images/gecko-320-213.jpg"},
    ),
    DomainExample(
        "clause-intent",
        "contract-clauses",
        answer={
            "clauses": [{"id": "c1", "start": 0, "end": len(CLAUSE), "label": "limit_liability"}],
            "main_purpose": "service",
            "favours": "first_party",
        },
        texts={"contract": CLAUSE},
    ),
    DomainExample(
        "document-entities",
        "finance-documents",
        answer={
            "document_type": "invoice",
            "entities": [
                {"id": "e1", "start": 8, "end": 16, "label": "document_number"},
                {"id": "e2", "start": 28, "end": 40, "label": "total_amount"},
            ],
            "places": [
                {
                    "id": "p1",
                    "shape": "box",
                    "label": "total_amount",
                    "x": 20,
                    "y": 30,
                    "width": 90,
                    "height": 20,
                    "text": "EUR 1,190.00",
                }
            ],
            "booking": {"currency": "EUR", "total_cents": 119000, "due": "2024-06-30"},
        },
        texts={"text": INVOICE},
        uploads={"page": "images/gecko-320-213.jpg"},
    ),
    DomainExample(
        "product-video-alignment",
        "product-videos",
        answer={
            "alignment": "other_variant",
            "category": "household",
            "moments_shown": [{"id": "m1", "start": 0.5, "end": 1.5, "label": "use.in_hand"}],
            "best_moment": [{"id": "b1", "start": 0.5, "end": 1.2, "label": "best"}],
        },
        records={"listing": LISTING},
        uploads={"video": "video/asl_thanks.mkv"},
    ),
)
