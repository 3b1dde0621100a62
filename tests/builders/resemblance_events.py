"""Valid events of ``shared.events.resemblance``."""

from typing import Any

from shared.events import resemblance
from tests.builders.base import an_event

HASH = "f0e1d2c3b4a59687"


def an_image_met(**changes: Any) -> resemblance.ImageMet:
    special = {"band": 0, "perceptual_hash": HASH, "sent_ms": 1_000, "distance": 4}
    return an_event(resemblance.ImageMet, changes, band_id="band-1", slot="photo", **special)


def an_image_left(**changes: Any) -> resemblance.ImageLeft:
    return an_event(resemblance.ImageLeft, changes, band_id="band-1", band=0, slot="photo", perceptual_hash=HASH)


def an_image_resembled(**changes: Any) -> resemblance.ImageResembled:
    other = resemblance.NearDuplicate(sample_id="sample-0", slot="photo", own_slot="photo", distance=2)
    return an_event(resemblance.ImageResembled, changes, slot="photo", perceptual_hash=HASH, near_duplicates=[other])
