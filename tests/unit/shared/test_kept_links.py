"""Signed links are given again for a moment, and no longer."""

from __future__ import annotations

from shared import media
from shared.media import LINK_KEPT, KeptLinks


def test_a_link_is_signed_once_a_minute():
    now, signed = 0.0, iter(["first", "second", "other"])
    links = KeptLinks(lambda: now)

    given = [links.get("photo", lambda: next(signed)) for _ in range(3)]
    now = LINK_KEPT.total_seconds()
    later = links.get("photo", lambda: next(signed))

    assert given == ["first"] * 3
    assert later == "second"
    assert links.get("another photo", lambda: next(signed)) == "other"


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(media, "MAX_LINKS", 2)
    signed = iter(range(10))
    links = KeptLinks(lambda: 0.0)

    given = [links.get(name, lambda: str(next(signed))) for name in ("a", "b", "c", "b", "a")]

    assert given == ["0", "1", "2", "1", "3"]
