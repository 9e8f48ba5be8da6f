"""The audit of Python: what each version carries, whose it is, and how much it is used."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import anyio
from starlette.responses import JSONResponse, Response

from rostra.api.addresses import Links
from rostra.api.answers import Made, Router
from rostra.api.edge import Administrator, Live, Reading
from rostra.config.values import version_range
from rostra.content import audit_environments as environments
from rostra.content import audit_report
from rostra.content.audit import Audit, Server, Wanted, audit
from rostra.environments import inventory
from rostra.environments.cleanup import standings
from rostra.errors import Invalid
from rostra.rendering import schedules
from rostra.runtimes import eol
from rostra.runtimes.lifecycle import rules_of
from rostra.runtimes.model import Policy
from rostra.units import duration
from rostra.wire import choice

router = Router()

FORMATS = ("json", "csv")


class BadFilter(Invalid):
    """``name`` is the query's word."""

    code = "bad-filter"
    number = 25

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        super().__init__(f"{name}: {why}", hint="Correct the filter, or leave it out.")


@router.get("/v1/audit/runtimes")
async def audit_runtimes(
    *,
    who: Administrator,  # noqa: ARG001
    live: Live,
    session: Reading,
    links: Links,
    python: str = "",
    kind: str = "",
    owner: str = "",
    unused_for: str = "",
    format: Annotated[str, choice(FORMATS)] = "json",  # noqa: A002  (the query's word)
) -> Annotated[Response, Made(json=audit_report.RuntimeAuditJson, media=("text/csv",))]:
    """Per Python version and per item: state, end of life, use, owner; as JSON, or the items as CSV.

    Filters: ``python`` (3.8, <3.10), ``kind``, ``owner``, ``unused_for`` (30d).
    """
    if format not in FORMATS:
        raise BadFilter("format", f"{format[:40]!r} is not json or csv")
    wanted = Wanted(versions=_versions(python), kind=kind, owner=owner, unused_for=_age(unused_for))
    settings = live.settings()
    server = Server(
        runtimes=live.runtimes(),
        policy=Policy(settings.python.version_matching),
        rules=rules_of(settings.python),
        running=live.running(),
        scheduled=await schedules.by_item(session),
        ends=eol.table_with(settings.server.data_dir / "cache" / eol.FILE),
    )
    found = await audit(session, server, wanted, live.clock.now())
    return await anyio.to_thread.run_sync(_answer, found, links.dashboard, format)


def _answer(found: Audit, address: audit_report.Address, form: str) -> Response:
    if form == "csv":
        rows = [audit_report.item_json(row, address) for row in found.items]
        headers = {"Content-Disposition": 'attachment; filename="python-audit.csv"'}
        return Response(audit_report.to_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)
    return JSONResponse(audit_report.to_json(found, address))


@router.get("/v1/audit/environments")
async def audit_environments(
    *,
    who: Administrator,  # noqa: ARG001
    live: Live,
    session: Reading,
    format: Annotated[str, choice(FORMATS)] = "json",  # noqa: A002  (the query's word)
) -> Annotated[Response, Made(json=list[environments.AuditedEnvironment], media=("text/csv",))]:
    """Every environment on the disk: Python, size, state, last use, and the items that need it; as JSON or CSV.

    Sizes are counted at most every five minutes.
    """
    if format not in FORMATS:
        raise BadFilter("format", f"{format[:40]!r} is not json or csv")
    facts = await environments.known(session, live.runtimes(), await environments.running(session))
    found = await anyio.to_thread.run_sync(inventory.scan, live.places.data_dir)
    rows = await live.disk.weighed(standings(found, facts), live.clock.now())
    told = [environments.to_json(row, live.places.data_dir) for row in rows]
    if format == "json":
        return JSONResponse(told)
    headers = {"Content-Disposition": 'attachment; filename="environments.csv"'}
    return Response(environments.to_csv(told), media_type="text/csv; charset=utf-8", headers=headers)


def _versions(text: str) -> Any:
    try:
        return version_range(text) if text else None
    except ValueError as why:
        raise BadFilter("python", str(why)) from None


def _age(text: str) -> dt.timedelta | None:
    try:
        return duration(text) if text else None
    except (ValueError, OverflowError) as why:
        raise BadFilter("unused_for", str(why)) from None
