"""All routes of the pages. The composition root mounts them beside the API's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from rostra.auth.throttle import Throttle
from rostra.errors import Problem
from rostra.web import (
    content_list,
    from_git,
    integrations_screens,
    item_access,
    item_overview,
    item_run,
    item_schedule,
    item_settings,
    item_usage,
    item_variables,
    people,
    runtimes_screens,
    screens,
    server_screens,
)
from rostra.web.claiming import Claiming
from rostra.web.dashboard import Dashboard, SignedInEndpoint
from rostra.web.pages import of_problem
from rostra.web.responses import redirect
from rostra.web.services import WebServices
from rostra.web.signin import SignIn
from rostra.web.templating import ASSETS, Asset, assets

SCREENS = (
    content_list.SCREEN,
    *(item_overview.SCREEN, item_run.SCREEN, item_schedule.SCREEN, item_access.SCREEN, item_variables.SCREEN),
    *(item_settings.SCREEN, item_usage.SCREEN),
    *from_git.SCREENS,
    *integrations_screens.SCREENS,
    *people.SCREENS,
    *runtimes_screens.SCREENS,
    *server_screens.SCREENS,
)
log = structlog.get_logger()
BUG = "something went wrong inside the server"
Endpoint = Callable[[Request], Awaitable[Response]]
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
_FOR_AN_HOUR = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}


def routes(services: WebServices) -> list[BaseRoute]:
    """Return the routes of every page: sign-in, dashboard, and what they need. None redirects a missing slash."""
    home = services.site.dashboard
    return [
        Route("/", _to(services.site.page()), methods=["GET"]),
        Route("/__ping__", _ping, methods=["GET"]),
        Route("/favicon.ico", _file("mark.svg"), methods=["GET"]),
        Route(f"{ASSETS}/{{name}}", _asset, methods=["GET"]),
        Route(home, _to(services.site.page()), methods=["GET"]),
        Route(f"{home}/__favicon__", _file("mark.svg"), methods=["GET"]),
        *_sign_in(services),
        *_dashboard(services, home),
    ]


def _sign_in(services: WebServices) -> list[BaseRoute]:
    signing = SignIn(services, Throttle(services.clock))
    pairs = (
        ("/__login__", signing.form, signing.submit),
        ("/__logout__", signing.leaving, signing.leave),
        ("/__signin__/{token:str}", signing.link, signing.use_link),
    )
    return [
        Route(path, explained(services, endpoint), methods=[method])
        for path, shown, sent in pairs
        for method, endpoint in (("GET", shown), ("POST", sent))
    ]


def _dashboard(services: WebServices, home: str) -> list[BaseRoute]:
    pages = Dashboard(services)
    claiming = Claiming(services)
    app = f"{home}/apps/{{guid:uuid}}"
    table = (
        ("GET", f"{home}/keys", pages.keys),
        ("POST", f"{home}/keys", pages.new_key),
        ("POST", f"{home}/keys/{{key:int}}/revoke", pages.revoke_key),
        ("GET", f"{home}/tasks/{{task:str}}", pages.task),
        ("GET", f"{home}/claim/{{token:str}}", claiming.ask),
        ("POST", f"{home}/claim/{{token:str}}", claiming.claim),
        ("GET", f"{app}/logs", pages.logs),
        ("GET", f"{app}/draft/{{bundle:str}}", pages.draft),
    )
    signed_in: list[BaseRoute] = [
        Route(path, explained(services, pages.signed_in(endpoint)), methods=[method])
        for method, path, endpoint in table
    ]

    def wrap(endpoint: SignedInEndpoint) -> Endpoint:
        return explained(services, pages.signed_in(endpoint))

    forms = screens.routes(services, SCREENS, wrap)
    return [*signed_in, *forms, Route("/__status__/{pool:str}", explained(services, pages.waiting), methods=["GET"])]


def explained(services: WebServices, endpoint: Endpoint) -> Endpoint:
    """Turn problems that escape from ``endpoint`` into their page."""

    async def explaining(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            return of_problem(services.site, request, problem)
        except Exception:
            log.exception("a page failed because of a bug", path=request.url.path)
            return of_problem(services.site, request, Problem(BUG, hint="Try again. The server's log has the details."))

    return explaining


def status_path(pool: str) -> str:
    """Return the path a waiting page asks for its progress (`pages.waiting` wants it with the site's prefix)."""
    return f"/__status__/{pool}"


def _to(address: str) -> Endpoint:
    async def going(_request: Request) -> Response:
        return redirect(address)

    return going


async def _ping(_request: Request) -> Response:
    return JSONResponse({}, headers={"Cache-Control": "no-store"})


def _file(name: str) -> Endpoint:
    async def sending(_request: Request) -> Response:
        return _send(assets()[name], _FOR_AN_HOUR)

    return sending


async def _asset(request: Request) -> Response:
    wanted = f"{ASSETS}/{request.path_params['name']}"
    found = next((asset for asset in assets().values() if asset.address == wanted), None)
    return _send(found, _FOR_EVER) if found else Response("no such file\n", 404, media_type="text/plain")


def _send(asset: Asset, headers: dict[str, str]) -> Response:
    return Response(asset.content, headers={**headers, "Content-Type": asset.content_type})
