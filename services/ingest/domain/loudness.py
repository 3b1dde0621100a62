"""How loud a recording is, as broadcasters measure it."""

from __future__ import annotations

import av
import av.error
from av.filter import Graph

_SILENCE = -69.9
"""LUFS below which the measure's own gate leaves nothing to measure."""
_INTEGRATED = "lavfi.r128.I"


class Loudness:
    """Measures the frames of one recording as they come, by libav's filter ``ebur128``.

    Source: ITU-R BS.1770-4 and EBU R 128 (integrated loudness, gated).
    """

    def __init__(self) -> None:
        self._graph: Graph | None = None
        self._shape: tuple[str, str, int] | None = None
        self._measured: float | None = None

    def add(self, frame: av.AudioFrame) -> None:
        """Take in the next frame; one of another rate or layout than the first ends the measuring."""
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._shape is None:
            self._shape, self._graph = shape, _graph(frame)
        if self._graph is None:
            return
        if shape != self._shape:
            self._graph, self._measured = None, None
            return
        self._graph.push(frame)
        self._pull()

    def result(self) -> float | None:
        """Return LUFS, rounded to a tenth; None for silence, and for what is shorter than the measure's 400 ms."""
        if self._graph is not None:
            self._graph.push(None)
            self._pull()
        if self._measured is None or self._measured < _SILENCE:
            return None
        return round(self._measured, 1)

    def _pull(self) -> None:
        assert self._graph is not None  # noqa: S101 - both callers have looked
        while True:
            try:
                measured = self._graph.pull()
            except (BlockingIOError, av.error.EOFError):
                return
            if _INTEGRATED in measured.metadata:
                self._measured = float(measured.metadata[_INTEGRATED])


def _graph(frame: av.AudioFrame) -> Graph:
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate, format=frame.format, layout=frame.layout, time_base=frame.time_base
    )
    measure, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(measure)
    measure.link_to(sink)
    graph.configure()
    return graph
