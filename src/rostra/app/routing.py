"""Which route of control goes where: the API, the dashboard's pages, and every other path is content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from rostra.api.request_ids import Named
from rostra.api.services import Services
from rostra.app import jobs
from rostra.app.content_pages import ContentPages
from rostra.app.desk import Desk
from rostra.app.documentation import Documentation
from rostra.app.git_work import GitWork
from rostra.app.oauth_pages import OAuthPages
from rostra.app.prometheus import Metrics
from rostra.app.reports import Reports
from rostra.app.sampling import Sampling
from rostra.app.work import WorkShop
from rostra.auth.bootstrap import secret_of
from rostra.auth.passwords import Passwords
from rostra.auth.throttle import Throttle
from rostra.config.sections import Settings
from rostra.content.oauth_tokens import OAuthTokens
from rostra.content.paths import split_pool
from rostra.ids import ProcessKey
from rostra.web.app import routes
from rostra.web.site import Site

EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build(api: ASGIApp, desk: Desk, pages: ContentPages, oauth: OAuthPages, metrics: Metrics) -> Starlette:
    """Return the application the gateway passes everything to that it does not carry to a process."""
    app = Starlette(
        routes=[
            Mount("/__api__", api),
            *Documentation(desk).routes(),
            Route("/metrics", metrics.page, methods=["GET"]),
            *routes(desk),
            *oauth.routes(),
            Route("/{path:path}", pages.answer, methods=EVERY_METHOD),
        ],
        middleware=[Middleware(Named)],
    )
    app.router.redirect_slashes = False
    return app


def site(settings: Settings) -> Site:
    prefix = urlsplit(settings.server.address).path.rstrip("/")
    return Site(name=settings.server.system_display_name, prefix=prefix, dashboard=settings.server.dashboard_path)


def services(
    settings: Settings,
    shop: WorkShop,
    passwords: Passwords,
    reports: Reports,
    *,
    sampling: Sampling,
    git: GitWork,
    oauth: OAuthTokens,
) -> Services:
    """Return what the API's endpoints are given."""
    tools, changes = shop.tools, shop.changes

    async def stop_job(key: str, by: str) -> None:
        if not await jobs.stop(tools, shop.tasks, key, by):
            await tools.pools.end(ProcessKey(key))

    def running() -> Mapping[str, int]:
        counts: Counter[str] = Counter()
        for key, (members, _) in tools.pools.announcements().items():
            counts[split_pool(key)[0]] += len(members)
        return counts

    return Services(
        sessions=tools.sessions,
        reading=tools.reading,
        settings=tools.settings,
        runtimes=tools.runtimes,
        beside=tools.beside,
        places=tools.places,
        box=tools.box,
        clock=tools.clock,
        tasks=shop.tasks,
        passwords=passwords,
        tries=Throttle(tools.clock),
        environments=shop.store,
        bootstrap_secret=secret_of(settings.bootstrap),
        enqueue_deploy=shop.enqueue_deploy,
        enqueue_cache_removal=shop.enqueue_cache_removal,
        on_item_changed=changes.of_item,
        on_credential_changed=changes.of_credential,
        stop_job=stop_job,
        reports=reports,
        git=git,
        oauth=oauth,
        running=running,
        taken=sampling.present,
    )
