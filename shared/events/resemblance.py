"""Images of one project that look alike: found by bands of their perceptual hashes, of which alike ones share one."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from shared.events.base import Event


class NearDuplicate(BaseModel):
    """An earlier image that one of a sample's images looks like."""

    model_config = ConfigDict(frozen=True)

    sample_id: str = Field(description="The earlier sample.")
    slot: str = Field(description="Of the earlier sample.")
    own_slot: str = Field(description="Of this sample.")
    distance: int = Field(description="Bits of 64 in which the perceptual hashes differ.")


class BandedImage(Event):
    """What is told of an image to whoever knows the images of its band. Shared by its coming and its going."""

    key_field: ClassVar[str] = "band_id"

    band_id: str
    band: int
    """The band's number."""
    sample_id: str
    slot: str
    perceptual_hash: str


class ImageMet(BandedImage):
    """An image of a sample has a hash of this band; who looks like it is to be found out."""

    topic: ClassVar[str] = "image.met.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    sent_ms: int
    """When its sample was sent, in milliseconds since 1970: of two, the one that was sent later is flagged."""
    distance: int
    """In how many bits hashes may differ at the most."""


class ImageLeft(BandedImage):
    """An image with a hash of this band is gone: its sample was erased, or has another one."""

    topic: ClassVar[str] = "image.left.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})


class ImageResembled(Event):
    """An image of a sample looks like images of earlier samples of its project, or does no more."""

    topic: ClassVar[str] = "image.resembled.v1"
    producers: ClassVar[frozenset[str]] = frozenset({"ingest"})
    consumers: ClassVar[frozenset[str]] = frozenset({"ingest"})

    sample_id: str
    slot: str
    perceptual_hash: str
    """Of the sample's image; what is said of one that it does not have any more changes nothing."""
    near_duplicates: list[NearDuplicate] = Field(default_factory=list)
    gone: bool = False
    """What is named does not look like it any more, for it is gone."""
