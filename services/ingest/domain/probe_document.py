"""What is true of a document: its pages, each also as a picture."""

from __future__ import annotations

from pathlib import Path

import pypdfium2

from services.ingest.domain.finding import Finding, Preview
from services.ingest.domain.picture import jpeg
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.facts import AssetDetails, AssetFacts

MAX_PAGES = 200
PAGE_SIDE = 1600
"""Pixels of the longer side of a page's picture."""


def probe_document(path: Path) -> Finding:
    """Render every page of a PDF.

    Args:
        path: The file.

    Returns:
        Of the details, ``pages``: width and height of each page's picture, in pixels. The previews ``page-1``,
        ``page-2`` ... are those pictures.

    Raises:
        MediaRejectedError: ``encrypted``, ``too-many-pages``, ``empty-media`` or ``undecodable``.
    """
    try:
        with pypdfium2.PdfDocument(path) as document:
            if not len(document):
                raise MediaRejectedError("empty-media", "The document has no page; export it again.")
            if len(document) > MAX_PAGES:
                raise MediaRejectedError(
                    "too-many-pages",
                    f"The document has {len(document)} pages; at most {MAX_PAGES} are taken: split it.",
                )
            pages = [_page(document, number) for number in range(len(document))]
    except pypdfium2.PdfiumError as error:
        raise _refused(error) from error
    sizes = tuple(size for size, _ in pages)
    facts = AssetFacts(modality="document", details=AssetDetails(pages=sizes))
    return Finding(facts, [preview for _, preview in pages])


def _page(document: pypdfium2.PdfDocument, number: int) -> tuple[tuple[int, int], Preview]:
    page = document[number]
    try:
        width, height = page.get_size()
        if not 0 < min(width, height) <= max(width, height) < 1e6:
            raise MediaRejectedError("undecodable", f"Page {number + 1} has no size; export the document again.")
        bitmap = page.render(scale=PAGE_SIDE / max(width, height), may_draw_forms=False)
        picture = bitmap.to_pil().convert("RGB")
        return picture.size, jpeg(f"page-{number + 1}", picture)
    finally:
        page.close()


def _refused(error: pypdfium2.PdfiumError) -> MediaRejectedError:
    if "password" in str(error).lower():
        return MediaRejectedError("encrypted", "The document asks for a password; save it without one.")
    return MediaRejectedError("undecodable", "The PDF document is damaged and cannot be opened; export it again.")
