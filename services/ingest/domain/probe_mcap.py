"""What is true of a robot's log in MCAP: its channels, messages and time."""

from __future__ import annotations

from array import array
from collections import defaultdict
from pathlib import Path

from mcap.exceptions import EndOfFile, McapError
from mcap.reader import make_reader

from services.ingest.domain.finding import Finding
from services.ingest.domain.rejection import MediaRejectedError
from services.ingest.domain.timing import Timing
from shared.labels.facts import AssetDetails, AssetFacts

_NANOSECONDS = 1e-9


def probe_mcap(path: Path) -> Finding:
    """Read every message's time, without decoding what it says.

    Args:
        path: The file.

    Returns:
        ``channel_names`` (the topics), ``rows`` (messages of all of them), ``duration`` in seconds from the first
        message to the last; of the details, ``channel_rates`` in hertz and the gaps.

    Raises:
        MediaRejectedError: ``truncated``, ``no-rows`` or ``undecodable``.

    Source: https://mcap.dev/spec
    """
    times: dict[str, array[int]] = defaultdict(lambda: array("q"))
    try:
        with path.open("rb") as file:
            for _, channel, message in make_reader(file, validate_crcs=True).iter_messages(log_time_order=False):
                times[channel.topic].append(message.log_time)
    except McapError as error:
        raise _refused(error) from error
    if not times:
        raise MediaRejectedError("no-rows", "The log holds no message; record it again.")
    start = min(min(ticks) for ticks in times.values())  # taken off first: a float holds no nanoseconds since 1970
    timings = {
        topic: Timing.of([(tick - start) * _NANOSECONDS for tick in sorted(ticks)]) for topic, ticks in times.items()
    }
    facts = AssetFacts(
        modality="sensor",
        channel_names=tuple(sorted(times)),
        rows=sum(map(len, times.values())),
        duration=max(timing.last for timing in timings.values()),
        details=AssetDetails(
            channel_rates={topic: timing.rate for topic, timing in timings.items() if timing.rate is not None},
            gaps=sum(timing.gaps for timing in timings.values()),
            longest_gap=max((timing.longest_gap for timing in timings.values()), default=0.0),
        ),
    )
    return Finding(facts)


def _refused(error: McapError) -> MediaRejectedError:
    if isinstance(error, EndOfFile):
        return MediaRejectedError(
            "truncated", "The log ends before its own end record; copy or record it again in full."
        )
    return MediaRejectedError("undecodable", "The MCAP log is damaged; record or copy it again.")
