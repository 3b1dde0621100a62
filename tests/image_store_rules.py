"""What task assignment relies on where it keeps images: the same rules for the fake and for MongoDB."""

from __future__ import annotations

from dataclasses import replace

from services.task_assignment.images import CHUNK_BYTES, Images, Manifest, digest_of

FIRST, SECOND, THIRD = (f"0192f0c1-0000-7000-8000-00000000000{number}" for number in range(3))


def a_manifest(data: bytes, revision: int = 1, generation: str = FIRST, partition: int = 1) -> Manifest:
    return Manifest(
        partition=partition,
        revision=revision,
        generation=generation,
        partitions=12,
        offsets={"sample.ingested.v1": 7, "annotation.submitted.v1": 0},
        samples=3,
        chunks=-(-len(data) // CHUNK_BYTES),
        digest=digest_of(data),
    )


class ImageStoreRules:
    """To be given a fixture ``images``: an empty store."""

    async def test_an_image_is_read_as_it_was_written(self, images: Images) -> None:
        data = bytes(range(256)) * (CHUNK_BYTES // 256) + b"and more than a chunk"
        manifest = a_manifest(data)

        assert await images.write(manifest, data)

        assert await images.manifests([0, 1, 11]) == {1: manifest}
        assert await images.read(manifest) == data

    async def test_an_image_takes_the_place_of_the_one_before_it_and_of_no_other_partitions(
        self, images: Images
    ) -> None:
        of_another = a_manifest(b"other", partition=11)
        await images.write(of_another, b"other")
        first, second = a_manifest(b"one"), a_manifest(b"two", 2, SECOND)

        written = [await images.write(first, b"one"), await images.write(second, b"two")]

        assert written == [True, True]
        assert await images.manifests([1, 11]) == {1: second, 11: of_another}
        assert [await images.read(each) for each in (first, second, of_another)] == [None, b"two", b"other"]

    async def test_who_has_not_seen_the_last_image_writes_none(self, images: Images) -> None:
        first, theirs, late = a_manifest(b"one"), a_manifest(b"two", 2, SECOND), a_manifest(b"three", 2, THIRD)
        await images.write(first, b"one")
        await images.write(theirs, b"two")

        assert not await images.write(late, b"three")

        assert await images.manifests([1]) == {1: theirs}
        assert [await images.read(each) for each in (theirs, late)] == [b"two", None]

    async def test_an_image_that_is_not_whole_is_none(self, images: Images) -> None:
        manifest = a_manifest(b"one")
        await images.write(manifest, b"one")

        assert await images.read(replace(manifest, digest=digest_of(b"another"))) is None
        assert await images.manifests([]) == {}
