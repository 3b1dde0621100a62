"""What is known of an asset: the ground on which labels are checked."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from shared.labels.values import Frozen, Number

Modality = Literal["text", "image", "audio", "video", "sensor", "record", "document"]
MODALITIES: tuple[Modality, ...] = get_args(Modality)
TIMED: frozenset[Modality] = frozenset({"audio", "video", "sensor"})
"""Modalities whose labels have times."""


class Clock(Frozen):
    """How an asset's own time, which begins at 0 with its start, runs on the clock that a sample's assets share."""

    offset: Number = Field(0.0, description="Seconds on the common clock at which the asset starts.")
    rate: Annotated[Number, Field(ge=1e-3, le=1e3)] = Field(
        1.0, description="Seconds of the common clock that pass in one second of the asset."
    )

    def common(self, seconds: float) -> float:
        """Return what the common clock shows, in seconds, at a time of the asset."""
        return self.offset + self.rate * seconds


class AssetDetails(BaseModel):
    """What ingest found beside the facts that labels are checked against; None where it does not apply."""

    model_config = ConfigDict(frozen=True)

    codec: str | None = None
    """Of audio and video, as libav names it."""
    colour_mode: str | None = None
    """Of an image, as Pillow names it: RGB, CMYK, I;16 ..."""
    orientation: int | None = None
    """Of an image, 1 to 8 as its EXIF says; width and height have it applied."""
    animated: bool | None = None
    """Whether an image file holds several pictures; regions are on the first."""
    perceptual_hash: str | None = None
    """Of an image: 64 bits in 16 hexadecimal digits; images that look alike differ in few bits."""
    loudness: float | None = None
    """Of audio: LUFS (EBU R 128); None for silence."""
    rotation: int | None = None
    """Of a video: degrees by which its frames are turned to be shown; width and height have it applied."""
    key_frames: int | None = None
    """Of a video: how many frames decode without any other."""
    variable_frame_rate: bool | None = None
    """Of a video; its table of frames has the time of each."""
    strip_times: tuple[float, ...] | None = None
    """Of a video: seconds at which the tiles of its strip are shown."""
    encoding: str | None = None
    """Of a text: utf-8, or utf-8-sig where a byte order mark stood in front."""
    normal_form: str | None = None
    """Of a text: the Unicode normal form that it had; None where it had none."""
    graphemes: int | None = None
    """Of a text: what people count as characters; spans count code points. None for a text of more than 20,000 code
    points that came inside a sample and holds characters that join."""
    detected_language: str | None = None
    """Of a text file, and of a text inside a sample where the project's ``intake`` asks for it: the ISO 639-1 code that
    it seems to be in."""
    language_confidence: float | None = None
    """From 0 to 1."""
    units: Mapping[str, str] | None = None
    """Of a sensor series: by channel, where the channel's name tells one."""
    channel_rates: Mapping[str, float] | None = None
    """Of a sensor series whose channels keep time by themselves: readings per second."""
    gaps: int | None = None
    """Of a sensor series: intervals of more than twice the usual one."""
    longest_gap: float | None = None
    """Of a sensor series: seconds."""
    pages: tuple[tuple[int, int], ...] | None = None
    """Of a document: width and height of each page's picture, in pixels."""


class OriginalFile(BaseModel):
    """The file as it came, of an asset that is served as a copy without the file's metadata."""

    model_config = ConfigDict(frozen=True)

    object: str | None = None
    """``bucket/key``; None where the project has it removed."""
    version: str | None = None
    size: int | None = None
    sha256: str | None = None


class AssetFacts(BaseModel):
    """Facts of one asset as ingest measured them; what was not measured is None, and is then not checked against."""

    model_config = ConfigDict(frozen=True)

    modality: Modality
    media_type: str | None = None
    size: int | None = None
    """Bytes of what is served."""
    sha256: str | None = None
    object: str | None = None
    """``bucket/key`` of what is served: the stored original unless ``original`` tells of another; None for assets that
    came inside the sample."""
    version: str | None = None
    """The version of ``object`` that was looked at; what is put over it later is another one."""
    original: OriginalFile | None = None
    """The file as it came, where ``object`` is a copy without its metadata."""
    text: str | None = None
    """Text assets: the text, in Unicode's NFC, on which spans count."""
    text_length: int | None = None
    """Code points of the normalized text."""
    language: str | None = None
    turns: int | None = None
    """Turns of a conversation in a text or record asset, as ``shared.labels.kinds.turns.count_turns`` counts them."""
    width: int | None = None
    """Pixels, after the orientation stored in the file is applied; of a video too."""
    height: int | None = None
    duration: float | None = None
    """Seconds."""
    clock: Clock | None = None
    """Where the asset's time stands on the sample's common clock, where the sample said so."""
    sample_rate: float | None = None
    """Samples per second, of audio and of sensor series."""
    channels: int | None = None
    """Audio channels."""
    frames: int | None = None
    """Frames of a video; the last one is ``frames - 1``."""
    frame_rate: float | None = None
    """Frames per second."""
    channel_names: tuple[str, ...] | None = None
    """Columns of a sensor series."""
    rows: int | None = None
    """Readings of a sensor series."""
    record: Mapping[str, Any] | None = None
    """Record assets: the JSON object itself."""
    details: AssetDetails | None = None
    previews: Mapping[str, str] | None = None
    """``bucket/key`` by name (thumbnail, poster, strip, frames, peaks, page-1 ...)."""
    candidates: tuple[str, ...] | None = None
    """Ids of what a ranking orders, from the record's ``candidates``."""
