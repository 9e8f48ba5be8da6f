"""Bundles: uploading, listing, downloading and deleting them."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired

from pydantic import WithJsonSchema
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from typing_extensions import TypedDict

from rostra.api import bundle_shapes
from rostra.api.answers import BYTES, Made, Router, takes
from rostra.api.bundle_shapes import BundleShape
from rostra.api.edge import Known, Live, after_commit, changing
from rostra.api.services import Services
from rostra.api.subjects import Edited, Inspected, load_to_edit
from rostra.api.uploads import LARGEST_METADATA, Upload
from rostra.auth.principals import Principal
from rostra.content import bundles, disk, items, repositories, unpack
from rostra.content.bundles import ReceivedFile
from rostra.content.errors import BundleFileMissing
from rostra.content.unpack import Contents
from rostra.db.engine import transaction
from rostra.wire import text

router = Router()


@router.get("/v1/content/{guid}/bundles")
async def list_bundles(subject: Inspected) -> list[BundleShape]:
    """The item's bundles, newest first."""
    rows = await bundles.listing(subject.session, subject.item)
    return await bundle_shapes.bundles(subject.session, rows, subject.item)


class UploadForm(TypedDict):
    """``metadata`` is a JSON object of texts that say where the archive comes from."""

    archive: Annotated[bytes, WithJsonSchema(BYTES)]
    metadata: NotRequired[Annotated[str, text(most=LARGEST_METADATA)]]


@router.post("/v1/content/{guid}/bundles", status_code=201)
@takes(application__gzip=bytes, multipart__form_data=UploadForm)
async def upload_bundle(guid: str, request: Request, who: Known, live: Live) -> BundleShape:
    """Take a gzip tar: the body itself whatever its media type, or a form with the parts archive and metadata."""
    return await receive(live, who, guid, request)


async def receive(live: Services, who: Principal, reference: str, request: Request) -> BundleShape:
    """Store an upload and return the bundle's shape. No transaction is open while the client sends."""
    async with transaction(live.reading) as session:
        subject = await load_to_edit(session, live, who, reference)
        items.check_unlocked(subject.item)
        await repositories.check_takes_uploads(session, subject.item)
    upload, settings = Upload(request), live.settings().applications
    received = await bundles.receive(
        upload.archive(),
        folder=live.places.bundles(subject.guid),
        max_bytes=settings.max_bundle_size,
        expected_md5=upload.expected_md5,
    )
    try:
        contents = await unpack.inspect(received.path, bundles.bounds(settings))
        source = upload.metadata()
        return await _accept(live, who, reference, received=received, contents=contents, source=source)
    finally:
        received.path.unlink(missing_ok=True)


async def _accept(
    live: Services,
    who: Principal,
    reference: str,
    *,
    received: ReceivedFile,
    contents: Contents,
    source: dict[str, Any],
) -> BundleShape:
    async with changing(live, who, "upload_bundle", reference) as session:
        subject = await load_to_edit(session, live, who, reference)  # it may have changed while the client was sending
        await repositories.check_takes_uploads(session, subject.item)
        row = await bundles.accept(
            session,
            subject.item,
            received,
            contents,
            source=source,
            user_id=who.user_id,
            clock=live.clock,
            places=live.places,
        )
        keep = live.settings().applications.bundle_retention_limit
        gone = await bundles.prune(session, subject.item, keep, live.places)
        shaped = (await bundle_shapes.bundles(session, [row], subject.item))[0]
    await disk.remove_all(gone)
    return shaped


@router.get("/v1/content/{guid}/bundles/{bundle_id}")
async def get_bundle(bundle_id: str, subject: Inspected) -> BundleShape:
    """One bundle."""
    row = await bundles.get(subject.session, subject.item, bundle_id)
    return (await bundle_shapes.bundles(subject.session, [row], subject.item))[0]


@router.get("/v1/content/{guid}/bundles/{bundle_id}/download")
async def download_bundle(
    bundle_id: str, subject: Inspected, live: Live
) -> Annotated[Response, Made(media=("application/gzip",))]:
    """Exactly the bytes that were uploaded."""
    row = await bundles.get(subject.session, subject.item, bundle_id)
    path = live.places.archive(subject.guid, row.id)
    if not path.is_file():
        raise BundleFileMissing(f"{row.id}.tar.gz")
    return FileResponse(path, media_type="application/gzip", filename=f"bundle-{row.id}.tar.gz")


@router.delete("/v1/content/{guid}/bundles/{bundle_id}", status_code=204)
async def delete_bundle(bundle_id: str, subject: Edited, live: Live) -> Response:
    """Delete a bundle that is not live."""
    row = await bundles.get(subject.session, subject.item, bundle_id)
    gone = await bundles.delete(subject.session, subject.item, row, live.places)

    async def told() -> None:
        await disk.remove_all(gone)

    after_commit(subject.session, told)
    return Response(status_code=204)
