"""Photographs through the gateway: served without what they tell of place, flagged when alike, exchanged while unseen."""

from __future__ import annotations

import io
from typing import Any

import httpx2
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from shared.ids import new_id
from tests.e2e.gateway import PICTURE, Gateway, a_spec, in_state, until

ALBUM = a_spec(
    title="Album",
    assets={"photo": {"modality": "image", "exif": "strip"}},
    fields={"verdict": {"kind": "choice", "asset": "photo", "required": True, "options": ["good", "bad"]}},
    objective={"goal": "Tell.", "output": "predictive", "modalities": ["image"], "downstream": ["training"]},
    quality={"overlap": 1},
)


def a_photo(scale: float = 1.0, turned: int = 0) -> bytes:
    """Return a real picture as a camera would write it, with a place."""
    with Image.open(PICTURE) as image:
        made = image.convert("RGB").rotate(turned)
        made = made.resize((int(made.width * scale), int(made.height * scale)))
        exif = Image.Exif()
        exif[Base.Orientation] = 6
        exif[Base.Artist] = "Jane Roe"
        exif.get_ifd(IFD.GPSInfo)[1] = "N"
        written = io.BytesIO()
        made.save(written, "JPEG", quality=85, exif=exif)
        return written.getvalue()


def served(owner: httpx2.Client, sample_id: str, **query: str) -> bytes:
    answer = owner.get(f"/v1/samples/{sample_id}/assets/photo", params=query)
    assert answer.status_code == 302, answer.text
    return httpx2.get(answer.headers["location"]).raise_for_status().content


def place_in(content: bytes) -> dict[int, Any]:
    with Image.open(io.BytesIO(content)) as image:
        return dict(image.getexif().get_ifd(IFD.GPSInfo))


@pytest.mark.timeout(240, func_only=True)
def test_a_photo_is_served_without_its_place_flagged_when_alike_and_exchanged_until_somebody_has_it(
    gateway: Gateway, owner: httpx2.Client, tmp_path
):
    project = gateway.publish(ALBUM)

    def upload(content: bytes) -> dict[str, str]:
        path = tmp_path / f"{new_id()}.jpg"
        path.write_bytes(content)
        return gateway.upload(project, path)

    def replace(photo: dict[str, str]) -> dict[str, Any]:
        line = {"external_id": "first", "assets": {"photo": photo}}
        with gateway.client() as client:
            job_id = owner.post(f"/v1/projects/{project}/imports?on_conflict=replace", json=line).json()["job_id"]
            job = client.wait_for(job_id, 60)
            return {"outcomes": job.outcomes, "errors": client.job_errors(job_id) if job.failed else []}

    first = gateway.submit(project, external_id="first", assets={"photo": upload(a_photo())})
    until(lambda: in_state(owner, first, "ingested"), "the first photo", 60)
    assert place_in(served(owner, first, original="true"))
    assert place_in(served(owner, first)) == {}
    with Image.open(io.BytesIO(served(owner, first))) as image:
        assert dict(image.getexif()) == {Base.Orientation: 6}

    second = gateway.submit(project, external_id="second", assets={"photo": upload(a_photo(scale=0.5))})
    flagged = until(lambda: (owner.get(f"/v1/samples/{second}").json() or {}).get("near_duplicates"), "a flag", 60)
    assert [(each["sample_id"], each["own_slot"]) for each in flagged] == [(first, "photo")]

    before = served(owner, first)
    assert replace(upload(a_photo(turned=90)))["outcomes"] == {"replaced": 1}
    assert served(owner, first) != before
    until(lambda: owner.get(f"/v1/samples/{second}").json()["near_duplicates"] == [], "a flag that is gone", 60)

    with gateway.client(gateway.key_of("ana", "annotator", projects=(project,))) as annotator:
        claimed = until(lambda: len((found := annotator.claim(2, project=project)).tasks) == 2 and found, "tasks", 60)
    [task] = [each for each in claimed.tasks if each.sample.sample_id == first]
    shown = task.assets["photo"]
    assert httpx2.get(shown["url"]).content == served(owner, first)

    refused = replace(upload(a_photo(turned=180)))
    assert refused["outcomes"] == {"conflict": 1}
    assert "somebody is working on it" in refused["errors"][0]["faults"][0]["message"]
