"""The presentation time of every frame of a video: how frame numbers, which labels count, become times and back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

FORMAT: Literal["labelmesh.frame-table/1"] = "labelmesh.frame-table/1"


class FrameTable(BaseModel):
    """When each frame is shown, exactly, whatever the frame rate does.

    Times are whole ticks of ``time_base`` seconds on the file's own timeline, as the container states them. Steps are
    the ticks from each frame to the next, equal ones counted together: a constant rate is one entry, however long the
    video is.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal["labelmesh.frame-table/1"] = FORMAT
    time_base: tuple[int, int] = Field(description="Numerator and denominator of a tick, in seconds.")
    first: int = Field(description="Tick at which frame 0 is shown.")
    steps: tuple[tuple[int, int], ...] = Field(description="[ticks to the next frame, how many times in a row].")
    key_frames: tuple[int, ...] = Field(description="Numbers of the frames that decode without any other.")

    @classmethod
    def of(cls, ticks: Sequence[int], time_base: Fraction, key_frames: Iterable[int]) -> Self:
        """Make the table of frames.

        Args:
            ticks: When each frame is shown, in order of presentation; one at least.
            time_base: Seconds of a tick.
            key_frames: Numbers of the key frames, ascending.
        """
        steps = groupby(later - earlier for earlier, later in pairwise(ticks))
        return cls(
            time_base=(time_base.numerator, time_base.denominator),
            first=ticks[0],
            steps=tuple((step, sum(1 for _ in run)) for step, run in steps),
            key_frames=tuple(key_frames),
        )

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return 1 + sum(count for _, count in self.steps)

    def ticks(self) -> list[int]:
        """Return when each frame is shown, in ticks."""
        found = [self.first]
        for step, count in self.steps:
            start = found[-1]
            found.extend(start + step * number for number in range(1, count + 1))
        return found

    def times(self) -> list[float]:
        """Return when each frame is shown, in seconds."""
        numerator, denominator = self.time_base
        return [tick * numerator / denominator for tick in self.ticks()]

    def frame_at(self, seconds: float) -> int:
        """Return the number of the frame that is on the screen at a time; before the first it is 0."""
        return max(0, bisect_right(self.times(), seconds + 1e-9) - 1)
