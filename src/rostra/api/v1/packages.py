"""What is installed for content: the lock file and the packages, of one item or of all."""

from __future__ import annotations

from typing import Annotated, Literal

import anyio
import sqlalchemy as sa
from starlette.responses import PlainTextResponse, Response
from typing_extensions import TypedDict

from rostra.api.answers import Made, Router
from rostra.api.edge import Known, Live, Reading
from rostra.api.paging import Page, PagedWidely
from rostra.api.services import Services
from rostra.api.subjects import Inspected, Subject, Viewed
from rostra.content.access import visible_to
from rostra.content.tables import Bundle, Item
from rostra.environments.spec import Environment
from rostra.errors import Invalid
from rostra.wire import Guid, Id, choice

router = Router()


class NoEnvironment(Invalid):
    code = "no-environment"

    def __init__(self) -> None:
        super().__init__(
            "no packages are installed for this content",
            hint="Deploy it first; content without managed Python packages has no lock file.",
        )


async def _environment(subject: Subject, live: Services) -> Environment | None:
    live_id = subject.item.live_bundle_id
    bundle = await subject.session.get(Bundle, live_id) if live_id is not None else None
    if bundle is None or bundle.environment_key is None or bundle.managed is False:
        return None
    return await anyio.to_thread.run_sync(live.environments.get, bundle.environment_key)


class PackageOfContent(TypedDict):
    """``hash`` is of R packages, whose lock files have one."""

    language: Literal["python", "r"]
    language_version: str
    name: str
    version: str
    hash: str | None


class PackageInUse(PackageOfContent):
    bundle_id: Id
    app_id: Id
    app_guid: Guid


@router.get("/v1/content/{guid}/lockfile")
async def lockfile(subject: Inspected, live: Live) -> Annotated[Response, Made(media=("text/plain",))]:
    """What is really installed, pinned, as a requirements file; ``Generated-By`` names the Python it is for."""
    environment = await _environment(subject, live)
    if environment is None:
        raise NoEnvironment
    text = environment.lock or "# No packages were asked for.\n"
    return PlainTextResponse(text, headers={"Generated-By": f"rostra; python={environment.runtime.version}"})


@router.get("/v1/content/{guid}/packages")
async def content_packages(subject: Viewed, live: Live) -> list[PackageOfContent]:
    """The packages of the item's live bundle, by name; none before the first deploy."""
    environment = await _environment(subject, live)
    return [] if environment is None else _rows(environment)


def _rows(environment: Environment) -> list[PackageOfContent]:
    version = str(environment.runtime.version)
    return [
        {"language": "python", "language_version": version, "name": one.name, "version": one.version, "hash": None}
        for one in environment.packages
    ]


@router.get("/v1/packages")
async def all_packages(
    *,
    who: Known,
    live: Live,
    session: Reading,
    page: PagedWidely,
    name: str = "",
    version: str = "",
    language: Annotated[str, choice(("", "python", "r"))] = "",
) -> Page[PackageInUse]:
    """The packages of all live bundles the caller may know of."""
    wanted = sa.select(Item.id, Item.guid, Bundle.id, Bundle.environment_key).join(
        Bundle, Bundle.id == Item.live_bundle_id
    )
    found = await session.execute(wanted.where(visible_to(who), Bundle.environment_key.is_not(None)).order_by(Item.id))
    uses = [(item_id, guid, bundle_id, str(key)) for item_id, guid, bundle_id, key in found]
    known = await anyio.to_thread.run_sync(_read_all, live, {key for *_, key in uses})
    rows: list[PackageInUse] = [
        {**row, "bundle_id": str(bundle_id), "app_id": str(item_id), "app_guid": guid}
        for item_id, guid, bundle_id, key in uses
        for row in known[key]
        if name.lower() in ("", row["name"]) and version in ("", row["version"]) and language in ("", row["language"])
    ]
    first = (page.number - 1) * page.size
    return page.of(rows[first : first + page.size], len(rows))


def _read_all(live: Services, keys: set[str]) -> dict[str, list[PackageOfContent]]:
    found = {key: live.environments.get(key) for key in keys}
    return {key: [] if environment is None else _rows(environment) for key, environment in found.items()}
