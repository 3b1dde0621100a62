"""What is true of a video: its size, how long it plays, and exactly when each of its frames is shown."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av import AudioStream, VideoStream
from av.container import InputContainer
from av.stream import Stream

from services.ingest.domain.completeness import require_complete
from services.ingest.domain.finding import Finding, Preview
from services.ingest.domain.formats import MediaFormat
from services.ingest.domain.probe_audio import OPEN_OPTIONS, is_cover, seconds
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.domain.strip import make_strip
from shared.labels.facts import AssetDetails, AssetFacts
from shared.labels.frame_table import FrameTable

MAX_FRAME_PIXELS = 8192 * 8192
"""Pixels of one frame; a decoder holds a dozen of them."""

_RATE_TOLERANCE = 0.001
"""Relative; containers with millisecond clocks miss a nominal rate by less than this."""

_INDEX_TOLERANCE = 1
"""Seconds; writers disagree on whether padding and the last frame count."""


@dataclass
class _Timeline:
    """What the packets of a file say, gathered one by one; a frame costs nine bytes of memory."""

    time_base: Fraction
    ticks: array[int] = field(default_factory=lambda: array("q"))
    keys: bytearray = field(default_factory=bytearray)
    unstamped: int = 0
    end: Fraction = Fraction(0)

    @property
    def frames(self) -> int:
        return len(self.ticks) + self.unstamped

    def add_frame(self, packet: av.Packet[Stream]) -> None:
        if packet.pts is None:
            self.unstamped += 1
            return
        self.ticks.append(packet.pts)
        self.keys.append(packet.is_keyframe)

    def extend_to(self, packet: av.Packet[Stream]) -> None:
        if packet.pts is not None:
            self.end = max(self.end, seconds(packet.pts + (packet.duration or 0), packet.time_base))

    def table(self) -> FrameTable | None:
        """Return the frames in the order in which they are shown; None where some have no time."""
        if self.unstamped or not self.ticks:
            return None
        ticks = np.frombuffer(self.ticks, dtype=np.int64)
        order = np.argsort(ticks, kind="stable")
        keys = np.flatnonzero(np.frombuffer(self.keys, dtype=np.uint8)[order])
        return FrameTable.of(ticks[order].tolist(), self.time_base, keys.tolist())


def probe_video(path: Path, format_: MediaFormat) -> Finding:
    """Walk through every packet of a video, decode its first frame and a dozen others, and measure it.

    In the containers taken here (MP4, Matroska, WebM) one packet is one frame, so frames are counted and timed without
    decoding them all; a file that is damaged inside a later frame therefore passes.

    Args:
        path: The file.
        format_: The format its signature says; no other demuxer is tried.

    Returns:
        ``width`` and ``height`` in pixels after the stored rotation; ``frames``; ``duration`` in seconds, from the
        start of the file's own timeline to the end of what is shown or heard last; ``frame_rate`` in frames per second
        (the nominal one where the frames keep it, else their mean); ``sample_rate`` and ``channels`` of the sound,
        None where there is none that we know. Of the details: codec, rotation, key frames, and whether the rate
        varies. The previews are the table ``frames`` (see :class:`FrameTable`), ``poster`` and ``strip``.

    Raises:
        MediaRejectedError: ``truncated``, ``no-video-track``, ``several-video-tracks``, ``too-large-dimensions``,
            ``odd-rotation``, ``broken-index``, ``empty-media`` or ``undecodable``.
    """
    with path.open("rb") as file:
        require_complete(file, format_)
    try:
        with av.open(str(path), format=format_.decoder, options=OPEN_OPTIONS, metadata_errors="replace") as container:
            stream = _only_video_track(container)
            if stream.codec_context is None:
                raise _undecodable(format_)
            _require_size(stream)
            first_frame, timeline = _walk(container, stream)
            _require_indexed(container, stream, timeline)
            nominal, codec = stream.guessed_rate, stream.codec_context.name
            sound = next((track.codec_context for track in container.streams.audio if track.codec_context), None)
            sample_rate, channels = (sound.sample_rate, sound.channels) if sound else (None, None)
    except av.error.MemoryError:  # libav's errors are one family, but this one is not the file's damage
        raise
    except av.error.FFmpegError as error:
        raise _undecodable(format_) from error
    if not timeline.frames:
        raise MediaRejectedError("empty-media", "The video track holds no frame; export the video again.")
    if first_frame is None:
        raise _undecodable(format_)
    table = timeline.table()
    width, height = _upright(first_frame)
    strip = make_strip(path, format_, timeline.frames, table)
    details = AssetDetails(
        codec=codec,
        rotation=first_frame.rotation % 360,
        key_frames=None if table is None else len(table.key_frames),
        variable_frame_rate=None if table is None else _varies(table),
        strip_times=strip.times or None,
    )
    facts = AssetFacts(
        modality="video",
        width=width,
        height=height,
        duration=float(timeline.end),
        frames=timeline.frames,
        frame_rate=_frame_rate(nominal, table),
        sample_rate=sample_rate,
        channels=channels,
        details=details,
    )
    tables = [] if table is None else [Preview("frames", "application/json", table.model_dump_json().encode())]
    return Finding(facts, [*tables, *strip.previews])


def _only_video_track(container: InputContainer) -> VideoStream:
    tracks = [stream for stream in container.streams.video if not is_cover(stream)]
    if not tracks:
        raise MediaRejectedError(
            "no-video-track", "The file has no video track; send it to an audio slot or send the video."
        )
    if len(tracks) > 1:
        raise MediaRejectedError(
            "several-video-tracks",
            f"The file has {len(tracks)} video tracks, so a frame number would be ambiguous; send each as a file of its own.",
        )
    return tracks[0]


def _require_size(stream: VideoStream) -> None:
    if stream.width * stream.height > MAX_FRAME_PIXELS:
        raise MediaRejectedError(
            "too-large-dimensions",
            f"A frame is {stream.width} x {stream.height} pixels; at most {MAX_FRAME_PIXELS} are taken: scale it down.",
        )


def _walk(container: InputContainer, stream: VideoStream) -> tuple[av.VideoFrame | None, _Timeline]:
    """Read all packets of sound and picture, decoding only until the first frame is there."""
    stream.thread_type = "NONE"  # one frame is decoded; a worker has one core
    timeline = _Timeline(stream.time_base or Fraction(1))
    first_frame: av.VideoFrame | None = None
    for packet in container.demux([stream, *container.streams.audio]):
        if first_frame is None and packet.stream is stream:
            first_frame = next(iter(stream.decode(packet)), None)
        if not packet.size or packet.is_discard:
            continue  # the end of a stream, or cut away by the file's edit list
        timeline.extend_to(packet)
        if packet.stream is stream and _is_shown(packet, stream.codec_context.name):
            timeline.add_frame(packet)
    return first_frame, timeline


def _require_indexed(container: InputContainer, stream: VideoStream, timeline: _Timeline) -> None:
    """Refuse a file whose packets are not where, or not as many as, its index says."""
    tracks: list[VideoStream | AudioStream] = [stream, *container.streams.audio]
    stated = max(seconds(track.duration, track.time_base) for track in tracks)
    if (stream.frames and not timeline.frames) or stated > timeline.end + _INDEX_TOLERANCE:
        raise MediaRejectedError(
            "broken-index",
            f"The video says that it plays {float(stated):.3f} s, but its pictures and sound are found for only "
            f"{float(timeline.end):.3f} s: its index is broken, export it again.",
        )


def _is_shown(packet: av.Packet[Stream], codec: str) -> bool:
    """VP8 alone keeps reference frames that are never shown as packets of their own (RFC 6386, section 9.1)."""
    return codec != "vp8" or bool(bytes(packet)[0] >> 4 & 1)


def _frame_rate(nominal: Fraction | None, table: FrameTable | None) -> float | None:
    ticks = 0 if table is None else sum(step * count for step, count in table.steps)
    if table is None or ticks == 0:
        return float(nominal) if nominal else None
    numerator, denominator = table.time_base
    mean = (table.frames - 1) * denominator / (ticks * numerator)
    if nominal and abs(float(nominal) - mean) <= _RATE_TOLERANCE * mean:
        return float(nominal)
    return mean


def _varies(table: FrameTable) -> bool:
    """Whether the frames come unevenly, by more than the rounding of the file's clock."""
    steps = [step for step, _ in table.steps]
    return bool(steps) and max(steps) - min(steps) > 1 + _RATE_TOLERANCE * max(steps)


def _upright(frame: av.VideoFrame) -> tuple[int, int]:
    rotation = frame.rotation % 360
    if rotation % 90:
        raise MediaRejectedError(
            "odd-rotation",
            f"The video is to be shown turned by {rotation} degrees, which boxes cannot follow; export it upright.",
        )
    return (frame.height, frame.width) if rotation % 180 else (frame.width, frame.height)


def _undecodable(format_: MediaFormat) -> MediaRejectedError:
    return MediaRejectedError(
        "undecodable", f"The {format_.name} video is damaged or of an unknown codec; export it again, as H.264 or VP9."
    )
