"""What is true of a recording: its exact length, loudness and shape, found by decoding every sample of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition

from services.ingest.domain.completeness import require_complete
from services.ingest.domain.finding import Finding
from services.ingest.domain.formats import FLAC, MP3, MediaFormat
from services.ingest.domain.loudness import Loudness
from services.ingest.domain.peaks import Peaks
from services.ingest.domain.rejection import MediaRejectedError
from shared.labels.facts import AssetDetails, AssetFacts

# Only files, whatever a container asks for: some formats name further files or addresses to open.
OPEN_OPTIONS = {"protocol_whitelist": "file"}

_HEAD_OF_MP3 = 1 << 16
_CUT_TOLERANCE = Fraction(1, 20)
"""Seconds by which a stated length may exceed the decoded one; encoders differ in what they count as padding."""


@dataclass(frozen=True)
class _Sound:
    seconds: Fraction
    sample_rate: int
    channels: int
    loudness: float | None
    peaks: Peaks | None
    broken_at: Fraction | None


def probe_audio(path: Path, format_: MediaFormat) -> Finding:
    """Decode a recording and measure it.

    Args:
        path: The file.
        format_: The format its signature says; no other demuxer is tried.

    Returns:
        ``duration`` in seconds (decoded samples divided by the rate, encoder padding left out where the file states
        it), ``sample_rate`` in hertz as it is decoded, ``channels``; of the details ``codec`` and ``loudness``. The
        preview is ``peaks``.

    Raises:
        MediaRejectedError: ``truncated``, ``unknown-length``, ``no-audio-track``, ``several-audio-tracks``,
            ``wrong-type`` (it has a video track), ``empty-media`` or ``undecodable``.
    """
    with path.open("rb") as file:
        require_complete(file, format_)
        file.seek(0)
        head = file.read(_HEAD_OF_MP3)
    try:
        with av.open(str(path), format=format_.decoder, options=OPEN_OPTIONS, metadata_errors="replace") as container:
            stream = _only_audio_track(container)
            if stream.codec_context is None:
                raise _undecodable(format_, "is of an unknown codec")
            codec = stream.codec_context.name
            stated = seconds(stream.duration if _states_length(format_, head) else None, stream.time_base)
            sound = _decode(container, stream)
    except av.error.MemoryError:  # libav's errors are one family, but this one is not the file's damage
        raise
    except av.error.FFmpegError as error:
        raise _undecodable(format_, "cannot be opened") from error
    if stated > sound.seconds + _CUT_TOLERANCE:
        raise MediaRejectedError(
            "truncated",
            f"The recording says that it lasts {float(stated):.3f} s, but only {float(sound.seconds):.3f} s of "
            "sound can be decoded: it was cut off or damaged, upload it again in full.",
        )
    if sound.broken_at is not None:
        raise _undecodable(format_, f"is damaged {float(sound.broken_at):.3f} s from its start")
    if not sound.seconds:
        raise MediaRejectedError("empty-media", "The recording holds no sound at all; record it again.")
    facts = AssetFacts(
        modality="audio",
        duration=float(sound.seconds),
        sample_rate=sound.sample_rate,
        channels=sound.channels,
        details=AssetDetails(codec=codec, loudness=sound.loudness),
    )
    return Finding(facts, [] if sound.peaks is None else [sound.peaks.preview()])


def _only_audio_track(container: InputContainer) -> av.AudioStream:
    if any(not is_cover(stream) for stream in container.streams.video):
        raise MediaRejectedError(
            "wrong-type",
            "The file has a video track, but the slot asks for audio; send the sound alone or declare the slot as video.",
        )
    if not container.streams.audio:
        raise MediaRejectedError("no-audio-track", "The file has no audio track; send the recording itself.")
    if len(container.streams.audio) > 1:
        raise MediaRejectedError(
            "several-audio-tracks", "The file has several audio tracks, so a label's time would be ambiguous; send one."
        )
    return container.streams.audio[0]


def seconds(ticks: int | None, time_base: Fraction | None) -> Fraction:
    """Convert libav's time to exact seconds; what a file does not state is zero."""
    return ticks * time_base if ticks and time_base else Fraction(0)


def is_cover(stream: av.VideoStream) -> bool:
    """Whether a video stream is only the picture on an album's cover."""
    return bool(stream.disposition & Disposition.attached_pic)


def _states_length(format_: MediaFormat, head: bytes) -> bool:
    """Whether the header counts the samples; libav otherwise estimates a length from the bit rate."""
    return format_ is FLAC or (format_ is MP3 and (b"Xing" in head or b"Info" in head))


def _decode(container: InputContainer, stream: av.AudioStream) -> _Sound:
    length, rate, channels = Fraction(0), 0, 0
    loudness, broken_at = Loudness(), None
    mixer: av.AudioResampler | None = None
    peaks: Peaks | None = None
    try:
        for frame in container.decode(stream):
            if mixer is None or peaks is None:
                rate, channels = frame.sample_rate, frame.layout.nb_channels
                mixer, peaks = av.AudioResampler("s16", "mono", rate), Peaks(rate)
            length += Fraction(frame.samples, frame.sample_rate)
            loudness.add(frame)
            for mixed in mixer.resample(frame):
                peaks.add(mixed.to_ndarray()[0])
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError:
        broken_at = length
    return _Sound(length, rate, channels, None if broken_at is not None else loudness.result(), peaks, broken_at)


def _undecodable(format_: MediaFormat, how: str) -> MediaRejectedError:
    return MediaRejectedError("undecodable", f"The {format_.name} recording {how}; export it again from its source.")
