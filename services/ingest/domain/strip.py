"""Pictures of a video: its poster, and a strip of thumbnails spread over its length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import av
import av.error
from av import VideoStream
from av.container import InputContainer
from PIL import Image

from services.ingest.domain.finding import Preview
from services.ingest.domain.formats import MediaFormat
from services.ingest.domain.picture import NEEDS_NONE_SIDE, jpeg
from services.ingest.domain.probe_audio import OPEN_OPTIONS, is_cover
from shared.labels.frame_table import FrameTable

TILES = 10
_TILE_HEIGHT = 96
_DECODED_THROUGH = 1500
"""A video of no more frames is decoded from its start where it has too few key frames to choose from."""


class Strip(NamedTuple):
    """What a video looks like; empty where no frame of it could be decoded."""

    times: tuple[float, ...]
    """Seconds at which the tiles of the strip, from left to right, are shown."""
    previews: Sequence[Preview]


def make_strip(path: Path, format_: MediaFormat, frames: int, table: FrameTable | None) -> Strip:
    """Decode up to :data:`TILES` frames, evenly spread, and put them side by side.

    Args:
        path: The file.
        format_: Its format.
        frames: How many frames it has.
        table: When they are shown; None where that is not known, and then only the first is taken.

    Returns:
        The times of the tiles; ``poster`` (the middle one, at most 640 pixels) and ``strip`` (96 pixels high). A frame
        that cannot be decoded is left out: whether the file is taken has been decided before.
    """
    tiles: list[tuple[float, Image.Image]] = []
    try:
        with av.open(str(path), format=format_.decoder, options=OPEN_OPTIONS, metadata_errors="replace") as container:
            stream = next(track for track in container.streams.video if not is_cover(track))
            tiles.extend(
                (float(frame.time or 0), _picture(frame)) for frame in _spread(container, stream, frames, table)
            )
    except av.error.MemoryError:
        raise
    except av.error.FFmpegError:
        pass  # what was decoded until here is shown
    if not tiles:
        return Strip((), ())
    poster = tiles[len(tiles) // 2][1]
    return Strip(tuple(time for time, _ in tiles), [jpeg("poster", poster), jpeg("strip", _side_by_side(tiles))])


def _spread(
    container: InputContainer, stream: VideoStream, frames: int, table: FrameTable | None
) -> Iterator[av.VideoFrame]:
    stream.thread_type = "NONE"
    if table is None:
        yield from (frame for frame, _ in zip(container.decode(stream), range(1), strict=False))
    elif len(table.key_frames) < TILES and frames <= _DECODED_THROUGH:
        wanted = {round(index * (frames - 1) / (TILES - 1)) for index in range(TILES)}
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                yield frame
    else:
        yield from _key_frames(container, stream, table)


def _key_frames(container: InputContainer, stream: VideoStream, table: FrameTable) -> Iterator[av.VideoFrame]:
    """Jump from key frame to key frame, so that the time it takes does not grow with the video."""
    ticks, keys = table.ticks(), table.key_frames
    count = min(TILES, len(keys))
    chosen = [keys[index * (len(keys) - 1) // max(1, count - 1)] for index in range(count)]
    stream.codec_context.skip_frame = "NONKEY"
    for number in chosen:
        container.seek(ticks[number], stream=stream)
        frame = next(container.decode(stream), None)
        if frame is not None:
            yield frame


def _picture(frame: av.VideoFrame) -> Image.Image:
    """Return a frame as people see it: square pixels are assumed, the stored rotation is applied."""
    scale = min(1.0, NEEDS_NONE_SIDE / max(frame.width, frame.height))
    size = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
    picture = Image.fromarray(frame.reformat(width=size[0], height=size[1], format="rgb24").to_ndarray())
    # The stored rotation counts against the clock, and so does Pillow's.
    return picture.rotate(frame.rotation % 360, expand=True)


def _side_by_side(tiles: Sequence[tuple[float, Image.Image]]) -> Image.Image:
    small = [
        picture.resize((max(1, round(picture.width * _TILE_HEIGHT / picture.height)), _TILE_HEIGHT))
        for _, picture in tiles
    ]
    strip = Image.new("RGB", (sum(picture.width for picture in small), _TILE_HEIGHT))
    left = 0
    for picture in small:
        strip.paste(picture, (left, 0))
        left += picture.width
    return strip
