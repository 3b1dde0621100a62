"""Kafka's hash of a key, which decides its partition.

Source: A. Appleby, MurmurHash2 (public domain), with the seed of Kafka's default partitioner. It takes whole words at a
time: aiokafka's goes byte by byte and takes four times as long, for each of a sample's events.
"""

from __future__ import annotations

from functools import cache
from struct import Struct
from typing import Final

_M: Final = 0x5BD1E995
_SEED: Final = 0x9747B28C
_32_BITS: Final = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the hash, 32 bits without sign."""
    length = len(data)
    h = _SEED ^ length
    for word in _words(length // 4).unpack_from(data):
        k = word * _M & _32_BITS
        h = h * _M & _32_BITS ^ (k ^ k >> 24) * _M & _32_BITS
    if length % 4:
        h = (h ^ int.from_bytes(data[length & ~3 :], "little")) * _M & _32_BITS
    h = (h ^ h >> 13) * _M & _32_BITS
    return h ^ h >> 15


@cache
def _words(count: int) -> Struct:
    return Struct(f"<{count}I")
