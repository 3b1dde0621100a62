"""Media: addresses to upload files to, and the way to a sample's files."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final, Self
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.context import Context, refuse
from services.gateway.domain.upload_limits import MAX_UPLOAD_BYTES, upload_faults
from services.gateway.idempotency import cause_of
from services.gateway.samples import SENDERS
from shared.declared import Declared
from shared.errors import BodyTooLargeError, ConflictError, ForbiddenError
from shared.ids import derived_id, new_id
from shared.media import upload_object
from shared.multipart import PARTS_FROM, Multipart, PartLink, part_size_of, sizes_of
from shared.security import BadTokenError, Principal, read_claims, sign_claims

UPLOAD_LIFETIME: Final = timedelta(hours=1)
PARTS_LIFETIME: Final = timedelta(hours=24)
"""How long an upload in parts can be gone on with: so long the store keeps its parts."""
_AUDIENCE: Final = "labelmesh-upload"
_GENERIC: Final = "application/octet-stream"

Preview = Annotated[
    str | None,
    Query(
        max_length=40,
        description="A small rendition instead of the original: `thumbnail` of an image, `poster` and `strip` of a "
        "video, `page-1` ... of a document (JPEG), `peaks` of a recording (audiowaveform's format, version 2), `frames` "
        "of a video (JSON: when each frame is shown). `previews` of the sample's asset lists what there is.",
    ),
]
Quarantined = Annotated[
    bool, Query(description="The original of a rejected sample, while its quarantine lasts; for managers.")
]
Original = Annotated[
    bool, Query(description="The file as it came, where a copy without its metadata is served; for managers.")
]


class UploadBody(BaseModel):
    """The file that somebody wants to upload; what it says of it is held against what comes."""

    model_config = ConfigDict(extra="forbid")

    project: str
    filename: str = Field(min_length=1, max_length=300, examples=["BloodImage_00000.jpg"])
    media_type: str = Field("application/octet-stream", max_length=200)
    size: int = Field(ge=1, description="Bytes.")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", description="Of the whole file; where another file arrives it is refused."
    )
    slot: str | None = Field(None, description="The slot it is for; its limits are then checked before the upload.")


class PartView(BaseModel):
    """Where to PUT one part: the file's bytes from `(number - 1) * part_size`, `size` of them."""

    number: int
    size: int
    url: str


class UploadView(BaseModel):
    """Where to PUT the bytes: at once, or above 64 MiB in parts."""

    upload_id: str
    method: str = "PUT"
    url: str | None = Field(None, description="For the whole file; null where it comes in parts.")
    expires_at: datetime
    part_size: int | None = Field(None, description="Bytes of each part but the last.")
    parts: list[PartView] | None = Field(None, description="Where the parts go that have not arrived; in any order.")
    token: str | None = Field(None, description="What `/parts` and `/complete` want; good for 24 hours.")


class TokenBody(BaseModel):
    """Which upload in parts is meant."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=4000, description="From the answer that began the upload.")


class UploadedView(BaseModel):
    """All parts are one object now; a sample may name the upload."""

    upload_id: str
    size: int


class PartsToken(BaseModel):
    """An upload in parts, signed into a token: the gateway remembers none."""

    model_config = ConfigDict(frozen=True)

    tenant_id: str
    upload_id: str
    object: str
    store_id: str
    size: int

    def sign(self, secret: str, now: datetime) -> str:
        """Return the token."""
        expires = int((now + PARTS_LIFETIME).timestamp())
        return sign_claims({"aud": _AUDIENCE, "exp": expires, "upload": self.model_dump()}, secret)

    @classmethod
    def read(cls, secret: str, token: str, caller: Principal, upload_id: str) -> Self:
        """Return what a token says.

        Raises:
            ForbiddenError: It is none of ours, has expired, or is for another upload or tenant.
        """
        try:
            found = cls.model_validate(read_claims(token, secret, _AUDIENCE)["upload"])
        except (BadTokenError, ValidationError, KeyError) as error:
            raise ForbiddenError("The token is not good for this upload (any more); begin the upload again.") from error
        if found.tenant_id != caller.tenant_id or found.upload_id != upload_id:
            raise ForbiddenError("The token is for another upload; send the one that this upload was begun with.")
        return found


def create_router(context: Context) -> APIRouter:
    """Return the routes by which files come in and are looked at."""
    router = APIRouter(prefix="/v1", tags=["samples"], route_class=context.route)
    multipart = Multipart(context.media)
    secret = context.settings.internal_secret.get_secret_value()
    Caller = Annotated[Principal, Depends(context.keys.authenticate)]  # noqa: N806 - a type that needs the context

    @router.post("/uploads", status_code=201)
    async def upload(body: UploadBody, caller: Caller, request: Request) -> UploadView:
        """Get an address to upload a file to, or one for each part; a sample then names the upload's id."""
        caller.require(SENDERS, body.project)
        version = await context.active_project(caller, body.project)
        if body.size > MAX_UPLOAD_BYTES:
            raise BodyTooLargeError(f"A file may have {MAX_UPLOAD_BYTES} bytes; this one has {body.size}.")
        refuse(upload_faults(version.spec, body.size, body.media_type, body.slot), "The upload")
        cause = cause_of(request)
        upload_id = derived_id(caller.tenant_id, *cause) if cause else new_id()
        declared = Declared(body.size, body.sha256, None if body.media_type == _GENERIC else body.media_type)
        place = upload_object(caller.tenant_id, upload_id, body.filename, declared.segment())
        if body.size <= PARTS_FROM:
            url = context.media.upload_link(place, UPLOAD_LIFETIME)
            return UploadView(upload_id=upload_id, url=url, expires_at=context.now() + UPLOAD_LIFETIME)
        begun = PartsToken(
            tenant_id=caller.tenant_id,
            upload_id=upload_id,
            object=place,
            store_id=await multipart.begin(place),
            size=body.size,
        )
        return await in_parts(begun, sizes_of(body.size))

    @router.post("/uploads/{upload_id}/parts")
    async def resume(upload_id: str, body: TokenBody, caller: Caller) -> UploadView:
        """Go on with an upload in parts: fresh addresses for the parts that have not arrived whole."""
        begun = PartsToken.read(secret, body.token, caller, upload_id)
        return await in_parts(begun, await missing(begun))

    @router.post("/uploads/{upload_id}/complete")
    async def complete(upload_id: str, body: TokenBody, caller: Caller) -> UploadedView:
        """Make one file of the parts; done twice, it is done."""
        begun = PartsToken.read(secret, body.token, caller, upload_id)
        arrived = await multipart.arrived(begun.object, begun.store_id)
        if arrived is not None:
            if left := await missing(begun):
                numbers = ", ".join(map(str, list(left)[:20]))
                raise ConflictError(f"{len(left)} parts have not arrived whole ({numbers}); PUT them, then complete.")
            await multipart.complete(begun.object, begun.store_id, [arrived[number] for number in sorted(arrived)])
        elif await context.media.size(begun.object) is None:
            raise ConflictError("The store has given this upload up, for it was not completed in time; begin it again.")
        return UploadedView(upload_id=upload_id, size=begun.size)

    async def missing(begun: PartsToken) -> Mapping[int, int]:
        arrived = await multipart.arrived(begun.object, begun.store_id) or {}
        whole = {number for number, part in arrived.items() if part.size == sizes_of(begun.size).get(number)}
        return {number: size for number, size in sizes_of(begun.size).items() if number not in whole}

    async def in_parts(begun: PartsToken, sizes: Mapping[int, int]) -> UploadView:
        links: list[PartLink] = await multipart.links(begun.object, begun.store_id, sizes, UPLOAD_LIFETIME)
        return UploadView(
            upload_id=begun.upload_id,
            expires_at=context.now() + UPLOAD_LIFETIME,
            part_size=part_size_of(begun.size),
            parts=[PartView(**link._asdict()) for link in links],
            token=begun.sign(secret, context.now()),
        )

    @router.get("/samples/{sample_id}/assets/{slot}", status_code=302)
    async def asset(
        sample_id: str,
        slot: str,
        caller: Caller,
        request: Request,
        preview: Preview = None,
        quarantined: Quarantined = False,
        original: Original = False,
    ) -> Response:
        """Go to a sample's media or a preview of it; the link is signed now."""
        path = f"/v1/samples/{quote(sample_id, safe='')}/assets/{quote(slot, safe='')}"
        flags = {name: "true" for name, wanted in (("quarantined", quarantined), ("original", original)) if wanted}
        query = urlencode(({"preview": preview} if preview else {}) | flags)
        found = await context.inner.ask("ingest", "GET", f"{path}?{query}", caller, request)
        return RedirectResponse(found.json()["url"], 302) if found.ok else found.response()

    return router
