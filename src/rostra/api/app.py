"""Builds the application that is mounted at ``/__api__``."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from rostra.api import edge, legacy, openapi, problems
from rostra.api import schedules as legacy_schedules
from rostra.api import variants as legacy_variants
from rostra.api.bodies import Drained
from rostra.api.deprecated import Marked
from rostra.api.heads import Headed
from rostra.api.request_ids import Named
from rostra.api.services import Services
from rostra.api.v1 import (
    activity,
    ad_hoc,
    audit,
    audit_logs,
    bookmarks,
    bundle_files,
    bundles,
    caches,
    content,
    deploys,
    documentation,
    environments,
    groups,
    jobs,
    oauth,
    oauth_exchange,
    oauth_sessions,
    own_password,
    packages,
    permissions,
    rehearsals,
    repository,
    runs,
    schedules,
    search,
    server,
    service_tokens,
    shiny_usage,
    system,
    tags,
    task_queue,
    thumbnails,
    tokens,
    usage,
    users,
    vanities,
    variables,
    variants,
)

ROUTERS = (
    *(
        server.router,
        system.router,
        users.router,
        own_password.router,
        content.router,
        bundles.router,
        deploys.router,
        variables.router,
    ),
    *(
        repository.router,
        permissions.router,
        vanities.router,
        jobs.router,
        packages.router,
        caches.router,
        rehearsals.router,
        groups.router,
        audit_logs.router,
        tags.router,
        search.router,
        bookmarks.router,
        thumbnails.router,
        oauth.router,
        oauth_exchange.router,
        oauth_sessions.router,
        environments.router,
        tokens.router,
        bundle_files.router,
        audit.router,
        usage.router,
        shiny_usage.router,
        variants.router,
        ad_hoc.router,
        schedules.router,
        legacy_variants.router,
        legacy_schedules.router,
        legacy.router,
        task_queue.router,
        runs.router,
        activity.router,
        service_tokens.router,
        documentation.router,
        openapi.router,
    ),
)


def described() -> list[APIRoute]:
    """Return every route that is part of the API's description."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return [route for route in routes if route.include_in_schema]


def description() -> dict[str, Any]:
    """Return the OpenAPI document of the whole API."""
    return openapi.document(described(), server.WIRE_VERSION)


def application() -> FastAPI:
    """Return the routes without anything behind them, for the reference page."""
    app = FastAPI(
        title="Rostra",
        redirect_slashes=False,  # clients follow every redirect with GET, and a POST would become a list
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(edge.no_nul)],
    )
    for router in ROUTERS:
        app.include_router(router)
    problems.handle_in(app)
    return app


def build(services: Services) -> ASGIApp:
    """Return the API. Mount it at ``/__api__``; a path prefix in front of that is found in the request's root path."""
    app = application()
    app.state.services = services
    return Named(Drained(Headed(Marked(app))))
