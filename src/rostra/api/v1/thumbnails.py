"""Thumbnails of content. Visitors get them at the content's own address, ``__thumbnail__`` below it."""

from __future__ import annotations

from typing import Annotated

from starlette.requests import Request
from starlette.responses import Response

from rostra.api import bodies
from rostra.api.answers import Made, Router, takes
from rostra.api.edge import Known, Live, changing
from rostra.api.subjects import Edited, Viewed, load_to_edit
from rostra.content import audit_log, thumbnails
from rostra.db.engine import transaction

router = Router()

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


@router.put("/v1/content/{guid}/thumbnail", status_code=204)
@router.post("/applications/{guid}/image", status_code=204)
@takes(image__png=bytes, image__jpeg=bytes, image__gif=bytes, image__webp=bytes)
async def put_thumbnail(guid: str, request: Request, who: Known, live: Live) -> Response:
    """Take a picture, whatever its media type is called: PNG, JPEG, GIF or WebP, up to 10 MB."""
    async with transaction(live.reading) as session:
        await load_to_edit(session, live, who, guid)  # before anything large is read
    image = await bodies.whole(request, thumbnails.MOST_BYTES)
    async with changing(live, who, "put_thumbnail", guid) as session:
        subject = await load_to_edit(session, live, who, guid)
        await thumbnails.put(session, subject.item, image, live.clock.now())
        audit_log.note(session, subject=subject.guid, size=len(image))
    return Response(status_code=204)


@router.delete("/v1/content/{guid}/thumbnail", status_code=204)
@router.delete("/applications/{guid}/image", status_code=204)
async def delete_thumbnail(subject: Edited) -> Response:
    """Take the picture away; 404 when there is none."""
    await thumbnails.remove(subject.session, subject.item)
    return Response(status_code=204)


@router.get("/applications/{guid}/image")
async def get_image(subject: Viewed) -> Annotated[Response, Made(media=PICTURES, empty="There is no picture")]:
    """The picture, or 204 when there is none."""
    found = await thumbnails.get(subject.session, subject.item)
    return Response(status_code=204) if found is None else Response(found.image, media_type=found.media_type)
