"""Media files made for a test, each valid but for what the test is about."""

import io
import os
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from mcap.writer import Writer
from PIL import Image, ImageDraw

from services.ingest.domain.probe import probe
from shared.labels.facts import AssetFacts

MEDIA = Path(__file__).parents[3] / "examples" / "media"
SAMPLES = MEDIA.parent / "samples.jsonl"


def facts_of(path: Path, modality: str, filename: str, media_type: str | None) -> AssetFacts:
    """What the probe finds in a file."""
    return probe(path, modality, filename, media_type).facts


def truncated(source: Path, folder: Path, share: float = 0.6) -> Path:
    """The first ``share`` of a file, under the same name."""
    content = source.read_bytes()
    target = folder / source.name
    target.write_bytes(content[: int(len(content) * share)])
    return target


def a_video(
    path: Path,
    *,
    codec: str = "libx264",
    frames: int = 30,
    rate: int = 25,
    size: tuple[int, int] = (64, 48),
    times: Callable[[int], int] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    tracks: int = 1,
) -> Path:
    """Noise that moves, so that encoders reorder frames; ``times`` gives a frame's time in 1/1000 s."""
    noise = np.random.default_rng(1).integers(0, 255, (size[1], size[0] + frames, 3), dtype=np.uint8)
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        streams: list[Any] = [container.add_stream(codec, rate=rate, options=options) for _ in range(tracks)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
            if times is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(noise[:, number : number + size[0]].copy())
                frame.pts = times(number) if times else number
                frame.time_base = Fraction(1, 1000) if times else Fraction(1, rate)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    # The AV1 encoder makes root's process a real-time one, before which servers that later tests start would starve.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return path


def cut_by_edit_list(source: Path, target: Path, *, seconds: float, lead: float) -> Path:
    """The MP4 from ``seconds`` on, with up to ``lead`` seconds before it that an edit list hides: a "fast" trim."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as whole, av.open(str(target), "w", options=options) as trimmed:
        [track] = whole.streams.video
        copy = trimmed.add_stream_from_template(track)
        for packet in whole.demux(track):
            if packet.pts is None or packet.dts is None or packet.time_base is None:
                continue  # the end of the stream
            packet.pts -= int(seconds / packet.time_base)
            packet.dts -= int(seconds / packet.time_base)
            if packet.pts * packet.time_base >= -lead:
                packet.stream = copy
                trimmed.mux(packet)
    return target


def turned(video: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Set the display matrix of an MP4 (its a, b, c, d in 1/65536; ISO/IEC 14496-12, section 8.3.2)."""
    content = bytearray(video.read_bytes())
    start = content.index(b"tkhd") + 4 + 40
    a, b, c, d = matrix
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    video.write_bytes(content)
    return video


def a_recording(path: Path, *, codec: str, rate: int = 48000, channels: str = "mono", samples: int = 48000) -> Path:
    """A tone of ``samples`` samples."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=rate, layout=channels)
        count = 1 if channels == "mono" else 2
        tone = (np.sin(np.arange(samples) / 20) * 9000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(np.repeat(tone, count)[None, :], format="s16", layout=channels)
        frame.sample_rate, frame.pts = rate, 0
        resampler = av.AudioResampler(
            stream.codec_context.format, channels, rate, stream.codec_context.frame_size or None
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path


def decoded_frames(path: Path) -> list[float | None]:
    """The time of every frame that a player shows."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


def a_log(messages: dict[str, list[int]]) -> bytes:
    """Return an MCAP of topics and the nanoseconds at which each said something."""
    target = io.BytesIO()
    writer = Writer(target)
    writer.start()
    for topic, times in messages.items():
        channel = writer.register_channel(topic=topic, message_encoding="json", schema_id=0)
        for time in times:
            writer.add_message(channel, log_time=time, publish_time=time, data=b"{}")
    writer.finish()
    return target.getvalue()


def a_document(*sizes: tuple[int, int]) -> bytes:
    """Return a PDF of pages of these sizes, with a red square in the upper left corner of each."""
    pages = [Image.new("RGB", size, "white") for size in sizes]
    for page in pages:
        ImageDraw.Draw(page).rectangle((0, 0, page.width // 4, page.height // 4), fill="red")
    target = io.BytesIO()
    pages[0].save(target, "PDF", save_all=True, append_images=pages[1:], resolution=72)
    return target.getvalue()
