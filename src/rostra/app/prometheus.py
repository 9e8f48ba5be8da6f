"""``/metrics``: a few numbers in Prometheus' text form, for any collector. Open to everybody, so it names nobody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

import rostra
from rostra.app.sampling import Sampling
from rostra.auth.tables import User
from rostra.content.tables import Item, UsageSession
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.jobs.tables import Task

FRESH = dt.timedelta(seconds=5)  # nobody makes the database count more often
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One number that goes up and down. ``values`` are by the text of their labels, "" without any."""

    name: str
    help: str
    values: Mapping[str, float] = field(default_factory=dict)


def text(gauges: Iterable[Gauge]) -> str:
    """Return gauges in the text exposition format."""
    lines: list[str] = []
    for gauge in gauges:
        lines += [f"# HELP {gauge.name} {gauge.help}", f"# TYPE {gauge.name} gauge"]
        lines += [
            f"{gauge.name}{{{labels}}} {value!r}" if labels else f"{gauge.name} {value!r}"
            for labels, value in gauge.values.items()
        ]
    return "\n".join(lines) + "\n"


class Metrics:
    def __init__(self, tools: Tools, sampling: Sampling) -> None:
        self._tools, self._sampling = tools, sampling
        self._made: tuple[dt.datetime, str] | None = None

    async def page(self, request: Request) -> Response:  # noqa: ARG002  (open to everybody)
        now = self._tools.clock.now()
        if self._made is None or not dt.timedelta(0) <= now - self._made[0] < FRESH:
            self._made = now, text([*await self._running(), *await self._recorded()])
        return PlainTextResponse(self._made[1], headers={"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"})

    async def _running(self) -> list[Gauge]:
        samples = await self._sampling.present()
        one = {
            "rostra_content_processes": ("Processes of content that run.", len(samples)),
            "rostra_content_connections": ("Open connections to them.", sum(each.connections for each in samples)),
            "rostra_content_cpu_cores": ("Cores they keep busy.", sum(each.cpu for each in samples)),
            "rostra_content_memory_bytes": ("Memory they take.", sum(each.memory_bytes for each in samples)),
        }
        info = Gauge(name="rostra_info", help="This release.", values={f'version="{rostra.__version__}"': 1})
        return [info, *(Gauge(name=name, help=said, values={"": value}) for name, (said, value) in one.items())]

    async def _recorded(self) -> list[Gauge]:
        unfinished = Task.finished_at.is_(None)
        counted = {
            "items": sa.select(sa.func.count()).select_from(Item).where(Item.deleted_at.is_(None)),
            "users": sa.select(sa.func.count()).select_from(User),
            "sessions": sa.select(sa.func.count()).select_from(UsageSession).where(UsageSession.ended_at.is_(None)),
            "waiting": sa.select(sa.func.count()).select_from(Task).where(unfinished, Task.started_at.is_(None)),
            "running": sa.select(sa.func.count()).select_from(Task).where(unfinished, Task.started_at.is_not(None)),
        }
        async with transaction(self._tools.reading) as session:
            found = {name: (await session.execute(wanted)).scalar_one() for name, wanted in counted.items()}
        tasks = {f'state="{state}"': found[state] for state in ("waiting", "running")}
        return [
            Gauge(name="rostra_content_items", help="Content items.", values={"": found["items"]}),
            Gauge(name="rostra_users", help="Accounts.", values={"": found["users"]}),
            Gauge(name="rostra_content_sessions", help="Open sessions of content.", values={"": found["sessions"]}),
            Gauge(name="rostra_tasks", help="Tasks that are not finished.", values=tasks),
        ]
