"""A recording as a player draws it: the lowest and highest sample of each short stretch."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from services.ingest.domain.finding import Preview

PEAKS_PER_SECOND = 20
_SMALLEST_STRETCH = 64
_HEADER = struct.Struct("<iIiiIi")
_VERSION, _EIGHT_BITS, _ONE_CHANNEL = 2, 1, 1


class Peaks:
    """Gathers peaks from samples as they come, so that memory does not grow with the recording."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._stretch = max(_SMALLEST_STRETCH, sample_rate // PEAKS_PER_SECOND)
        self._rest: NDArray[np.int16] = np.empty(0, dtype=np.int16)
        self._found = bytearray()

    def add(self, samples: NDArray[np.int16]) -> None:
        """Take in the next samples of the mix of all channels, shape (n,)."""
        samples = np.concatenate([self._rest, samples]) if self._rest.size else samples
        whole = len(samples) // self._stretch * self._stretch
        self._take(samples[:whole].reshape(-1, self._stretch))
        self._rest = samples[whole:]

    def preview(self) -> Preview:
        """Return the peaks as a file of audiowaveform, which peaks.js and wavesurfer.js draw.

        Source: BBC audiowaveform, "Data format" version 2: a header of six 32-bit numbers (version, flags, sample rate,
            samples per pixel, length, channels), then a lowest and a highest value of 8 bits for each stretch.
        """
        if self._rest.size:
            self._take(self._rest.reshape(1, -1))
            self._rest = self._rest[:0]
        length = len(self._found) // 2
        header = _HEADER.pack(_VERSION, _EIGHT_BITS, self._rate, self._stretch, length, _ONE_CHANNEL)
        return Preview("peaks", "application/octet-stream", header + bytes(self._found))

    def _take(self, stretches: NDArray[np.int16]) -> None:
        extremes = np.stack([stretches.min(axis=1), stretches.max(axis=1)], axis=1)
        self._found += (extremes >> 8).astype(np.int8).tobytes()
