"""The files of a bundle, as they were uploaded."""

from __future__ import annotations

from typing import Annotated

from starlette.responses import Response
from typing_extensions import TypedDict

from rostra.api.answers import Made, Router
from rostra.api.edge import Live
from rostra.api.subjects import Inspected
from rostra.content import bundle_files, bundles

router = Router()


class BundleFile(TypedDict):
    path: str
    size: int


@router.get("/v1/content/{guid}/bundles/{bundle_id}/files")
async def list_bundle_files(bundle_id: str, subject: Inspected, live: Live) -> list[BundleFile]:
    """The bundle's files, by path, with their sizes in bytes."""
    row = await bundles.get(subject.session, subject.item, bundle_id)
    found = await bundle_files.listing(live.places.archive(subject.guid, row.id))
    return [{"path": file.path, "size": file.size} for file in found]


@router.get("/v1/content/{guid}/bundles/{bundle_id}/files/{path:path}")
async def get_bundle_file(
    bundle_id: str, path: str, subject: Inspected, live: Live
) -> Annotated[Response, Made(media=("application/octet-stream",))]:
    """One file. It is never shown as a page of this server: it comes as a download."""
    row = await bundles.get(subject.session, subject.item, bundle_id)
    content = await bundle_files.read(live.places.archive(subject.guid, row.id), path)
    return Response(content, media_type="application/octet-stream", headers={"Content-Disposition": "attachment"})
