"""Keys go where every other Kafka client puts them."""

from __future__ import annotations

from aiokafka.partitioner import murmur2 as aiokafkas
from hypothesis import given
from hypothesis import strategies as st

from shared.murmur import murmur2


@given(st.binary(max_size=100))
def test_a_key_has_the_hash_that_other_clients_give_it(key: bytes) -> None:
    assert murmur2(key) & 0x7FFFFFFF == aiokafkas(key) & 0x7FFFFFFF
