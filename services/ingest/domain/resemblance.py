"""Which images of a project look alike, found at a cost that does not grow with the project.

Two 64-bit hashes that differ in at most four bits agree in at least one of five bands of their bits, so an image is
compared with those that share a band with it. Each (project, band, value) is a document, and remembers so many images.

Sources: M. Norouzi, A. Punjani, D. J. Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR 2012),
section 2; the hash is that of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, islice, takewhile
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from shared.clock import to_ms
from shared.events import Event
from shared.events.resemblance import ImageLeft, ImageMet, ImageResembled, NearDuplicate
from shared.ids import derived_id
from shared.labels.facts import AssetFacts
from shared.labels.policies import MOST_DIFFERING_BITS
from shared.ledger import Step

_WIDTHS: Final = (13, 13, 13, 13, 12)
"""Bits of each band; one more band than bits in which hashes may differ."""
_STARTS: Final = (0, *accumulate(_WIDTHS[:-1]))
KEPT_IMAGES: Final = 500
"""So many images a band's value remembers, the earliest: some two million images in a project, were values all alike."""
KEPT_DUPLICATES: Final = 20
"""So many near duplicates are told of a sample, the nearest."""

if len(_WIDTHS) <= MOST_DIFFERING_BITS:
    raise ValueError("Hashes that differ in as many bits as there are bands may share none.")


class SeenImage(BaseModel):
    """An image as a band remembers it."""

    model_config = ConfigDict(frozen=True)

    sample_id: str
    slot: str
    perceptual_hash: str
    sent_ms: int

    @property
    def order(self) -> tuple[int, str]:
        """Of two images the one with the greater is the later, whoever looks and whenever."""
        return self.sent_ms, self.sample_id


class Band(BaseModel):
    """The images of a project whose hashes have one value in one band."""

    model_config = ConfigDict(frozen=True)

    band_id: str
    seen: tuple[SeenImage, ...] = ()


def differing_bits(first: str, second: str) -> int:
    """Return the Hamming distance of two hashes, each in hexadecimal digits."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


def band_ids(tenant_id: str, project_id: str, perceptual_hash: str) -> list[str]:
    """Return the ids of the bands of a 64-bit hash."""
    values = _values(perceptual_hash)
    return [derived_id("band", tenant_id, project_id, str(number), str(value)) for number, value in enumerate(values)]


def _values(perceptual_hash: str) -> list[int]:
    bits = int(perceptual_hash, 16)
    return [bits >> start & (1 << width) - 1 for start, width in zip(_STARTS, _WIDTHS, strict=True)]


def _is_told_by(band: int, first: str, second: str) -> bool:
    """Return whether a band is the first of those that two hashes share: it alone tells of the two."""
    return not any(mine == theirs for mine, theirs in zip(_values(first)[:band], _values(second)[:band], strict=True))


def met(cause: Event, sample_id: str, project_id: str, slot: str, facts: AssetFacts, distance: int) -> list[Event]:
    """Return what tells the bands of an image; nothing where it has no hash."""
    return [
        ImageMet.caused_by(
            cause, part=f"{sample_id}/{slot}", **known, sent_ms=to_ms(cause.occurred_at), distance=distance
        )
        for known in _told_to_bands(cause.tenant_id, project_id, sample_id, slot, hash_of(facts))
    ]


def left(cause: Event, sample_id: str, project_id: str, slot: str, facts: AssetFacts) -> list[Event]:
    """Return what tells the bands that an image is gone."""
    return [
        ImageLeft.caused_by(cause, part=f"{sample_id}/{slot}", **known)
        for known in _told_to_bands(cause.tenant_id, project_id, sample_id, slot, hash_of(facts))
    ]


def _told_to_bands(
    tenant_id: str, project_id: str, sample_id: str, slot: str, perceptual_hash: str | None
) -> list[dict[str, Any]]:
    ids = [] if perceptual_hash is None else band_ids(tenant_id, project_id, perceptual_hash)
    known = {"sample_id": sample_id, "slot": slot, "perceptual_hash": perceptual_hash}
    return [known | {"band_id": band_id, "band": band} for band, band_id in enumerate(ids)]


def hash_of(facts: AssetFacts | None) -> str | None:
    """Return the perceptual hash of an asset, None where it has none."""
    return None if facts is None or facts.details is None else facts.details.perceptual_hash


def on_image_met(band: Band | None, event: ImageMet) -> Step[Band]:
    """Remember the image and tell, of each pair that looks alike, the later one. Told again, it says the same."""
    band = band or Band(band_id=event.band_id)
    known = event.model_dump(include={"sample_id", "slot", "perceptual_hash", "sent_ms"})
    image = SeenImage(**known)
    alike = [other for other in band.seen if _is_pair(event.band, image, other, event.distance)]
    earlier = [other for other in alike if other.order < image.order]
    later = [other for other in alike if other.order > image.order and _is_news(band.seen, image, other)]
    told = [_resembled(event, image, earlier)] if earlier else []
    others = [other for other in band.seen if (other.sample_id, other.slot) != (image.sample_id, image.slot)]
    seen = tuple(sorted([*others, image], key=lambda each: each.order))[:KEPT_IMAGES]
    return Step(band.model_copy(update={"seen": seen}), [*told, *(_resembled(event, each, [image]) for each in later)])


def on_image_left(band: Band | None, event: ImageLeft) -> Step[Band]:
    """Forget the image, and tell those that were flagged because of it."""
    if band is None:
        return Step(None)
    place = (event.sample_id, event.slot, event.perceptual_hash)
    gone = [each for each in band.seen if (each.sample_id, each.slot, each.perceptual_hash) == place]
    if not gone:
        return Step(band)
    rest = tuple(each for each in band.seen if each not in gone)
    told = [
        _resembled(event, other, gone, gone=True)
        for other in rest
        if other.order > gone[0].order
        and _is_pair(event.band, gone[0], other, MOST_DIFFERING_BITS)
        and _is_news(rest, gone[0], other)
    ]
    return Step(band.model_copy(update={"seen": rest}), told)


def _is_pair(band: int, image: SeenImage, other: SeenImage, distance: int) -> bool:
    return (
        other.sample_id != image.sample_id
        and differing_bits(other.perceptual_hash, image.perceptual_hash) <= distance
        and _is_told_by(band, image.perceptual_hash, other.perceptual_hash)
    )


def _is_news(seen: Sequence[SeenImage], image: SeenImage, other: SeenImage) -> bool:
    """Return whether the later of two is to be told of the earlier one.

    One that knows of as many as are kept, no farther away, is not: a thousand empty pages would tell each other a
    million times.
    """
    distance = differing_bits(image.perceptual_hash, other.perceptual_hash)
    as_near = (
        each
        for each in takewhile(lambda each: each.order < other.order, seen)
        if each.sample_id not in {image.sample_id, other.sample_id}
        and differing_bits(each.perceptual_hash, other.perceptual_hash) <= distance
    )
    return sum(1 for _ in islice(as_near, KEPT_DUPLICATES)) < KEPT_DUPLICATES


def with_resemblance(
    known: Sequence[NearDuplicate], own_hash: str | None, event: ImageResembled
) -> list[NearDuplicate]:
    """Return the near duplicates of a sample after what is told of one of its images."""
    if own_hash != event.perceptual_hash:
        return list(known)
    told = {(each.own_slot, each.sample_id, each.slot): each for each in event.near_duplicates}
    kept = {(each.own_slot, each.sample_id, each.slot): each for each in known}
    found = {place: each for place, each in kept.items() if place not in told} if event.gone else kept | told
    nearest_first = sorted(found.values(), key=lambda each: (each.distance, each.own_slot, each.sample_id, each.slot))
    return nearest_first[:KEPT_DUPLICATES]


def _resembled(cause: Event, image: SeenImage, others: Sequence[SeenImage], *, gone: bool = False) -> ImageResembled:
    found = [
        NearDuplicate(
            sample_id=other.sample_id,
            slot=other.slot,
            own_slot=image.slot,
            distance=differing_bits(other.perceptual_hash, image.perceptual_hash),
        )
        for other in others
    ]
    nearest = sorted(found, key=lambda each: (each.distance, each.sample_id, each.slot))[:KEPT_DUPLICATES]
    return ImageResembled.caused_by(
        cause,
        part=image.slot,
        sample_id=image.sample_id,
        slot=image.slot,
        perceptual_hash=image.perceptual_hash,
        near_duplicates=nearest,
        gone=gone,
    )
