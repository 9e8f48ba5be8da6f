"""Everything the pages need, in memory, with sample content to look at."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from rostra.auth import sessions
from rostra.auth.errors import AccountLocked, WrongLogin
from rostra.auth.links import LinkUsedUp
from rostra.auth.principals import Principal, Role, Via
from rostra.auth.sessions import SignedIn
from rostra.errors import Forbidden, NotFound
from rostra.web.app import routes
from rostra.web.site import Site
from rostra.web.views import (
    Access,
    BundleRow,
    ItemHead,
    ItemPage,
    ItemRow,
    JobRow,
    KeyRow,
    LogsPage,
    ProcessRow,
    Progress,
    RuntimeRow,
    SettingRow,
    ShareRow,
    State,
    TaskPage,
    Waiting,
)

NOW = dt.datetime(2026, 11, 21, 9, 30, tzinfo=dt.UTC)
SALES = "6b1a9a2e-59a3-4a53-8d5c-0d6a0b8f0001"
OTHERS = "6b1a9a2e-59a3-4a53-8d5c-0d6a0b8f0002"
HOSTILE = "</title><script>alert(1)</script>\"'{{ 7*7 }}"


@dataclass
class StoppedClock:
    moment: dt.datetime = NOW

    def now(self) -> dt.datetime:
        return self.moment


def ago(**duration: float) -> dt.datetime:
    return NOW - dt.timedelta(**duration)


def row(guid: str = SALES, title: str = "Regional sales", **more: object) -> ItemRow:
    values = {
        "kind": "Streamlit app",
        "owner": "ada",
        "state": State.running,
        "url": f"/content/{guid}/",
        "python": "3.11.7",
        "deployed_at": ago(hours=3),
    }
    return ItemRow(guid=guid, title=title, **{**values, **more})  # type: ignore[arg-type]


def item(title: str = "Regional sales") -> ItemPage:
    bundles = (
        BundleRow(
            id=43, created_at=ago(minutes=4), size=1_830_000, state="uploaded", created_by="grace",
            preview_url=f"/content/{SALES}/_bundle43/",
        ),
        BundleRow(
            id=42, created_at=ago(hours=3), size=1_820_000, state="built", live=True, created_by="ada",
            python="3.11.7", reason="The bundle asks for 3.11.4; 3.11.7 is the nearest newer patch of 3.11.",
        ),
        BundleRow(id=41, created_at=ago(days=2), size=1_810_000, state="failed", created_by="ada"),
        BundleRow(
            id=38, created_at=ago(days=40), size=940_000, state="built", created_by="ada", python="3.9.18",
            reason="The bundle asks for 3.9.18, which is installed.", preview_url=f"/content/{SALES}/_bundle38/",
        ),
    )  # fmt: skip
    return ItemPage(
        row=row(title=title),
        access=Access.acl,
        description="Numbers by region and week, from the warehouse.",
        people=("grace", "linus"),
        bundles=bundles,
        processes=(
            ProcessRow(key="k3v9p0q7x2m4c8d1", bundle_id=42, started_at=ago(minutes=52), connections=7, room=20),
            ProcessRow(key="a8s7d6f5g4h3j2k1", bundle_id=42, started_at=ago(minutes=2), connections=1, room=20),
        ),
        may_change=True,
    )


LOG = (
    "  You can now view your Streamlit app in your browser.",
    "2026-11-21 09:12:04 loading 14 regions",
    "2026-11-21 09:12:06 warehouse answered in 1.8 s, 128 403 rows",
    "/app/app.py:31: FutureWarning: the default of observed=False is deprecated",
    "  frame.groupby('region')",
    "2026-11-21 09:14:51 loading 14 regions",
)


@dataclass
class SampleServices:
    """``ada`` may sign in with ``correct horse``; ``mallory``'s account is locked; the link ``good`` works once."""

    site: Site = field(default_factory=Site)
    clock: StoppedClock = field(default_factory=StoppedClock)
    rows: tuple[ItemRow, ...] = (row(),)
    page: ItemPage = field(default_factory=item)
    live: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=lambda: {"good"})
    tried: list[str] = field(default_factory=list)
    asked_api: list[tuple[str, str, object]] = field(default_factory=list)
    answers: dict[tuple[str, str], object] = field(default_factory=dict)
    role: Role = Role.publisher
    made: list[KeyRow] = field(default_factory=list)
    claimed: tuple[str, str] | None = None

    def app(self) -> Starlette:
        application = Starlette(routes=routes(self))
        application.router.redirect_slashes = False
        return application

    async def principal(self, request: Request) -> Principal | None:
        if request.cookies.get(sessions.COOKIE) not in self.live:
            return None
        return Principal(user_id=1, guid="u", username="ada", role=self.role, via=Via.session)

    def client_address(self, request: Request) -> str:
        return request.headers.get("x-test-address", "192.0.2.1")

    async def sign_in(self, username: str, password: str, address: str = "") -> SignedIn:
        self.tried.append(username)
        if username == "mallory":
            raise AccountLocked
        if (username, password) != ("ada", "correct horse"):
            raise WrongLogin
        return self._begin()

    async def redeem(self, token: str, address: str = "") -> SignedIn:
        if token not in self.links:
            raise LinkUsedUp
        self.links.remove(token)
        return self._begin()

    def _begin(self) -> SignedIn:
        token = f"session-{len(self.live)}"
        self.live.add(token)
        return SignedIn(token=token, xsrf=sessions.xsrf_of(token), expires_at=NOW + dt.timedelta(days=30))

    async def sign_out(self, token: str, address: str = "") -> None:
        self.live.discard(token)

    async def my_content(self, who: Principal) -> tuple[ItemRow, ...]:
        return self.rows

    async def visible_content(self, who: Principal) -> tuple[ItemRow, ...]:
        return self.rows

    async def settings_in_force(self, who: Principal) -> tuple[SettingRow, ...]:
        return (SettingRow(name="Server.Address", value="https://example.org", source="a.gcfg:3", default=False),)

    async def item(self, who: Principal, guid: str) -> ItemPage:
        if guid == OTHERS:
            raise Forbidden("this is somebody else's content", hint="Ask grace to give you access.")
        if guid != SALES:
            raise NotFound("there is no such content", hint="Check the address.")
        return self.page

    async def logs(self, who: Principal, guid: str, job: str | None, after: int | None) -> LogsPage:
        jobs = (
            JobRow(key="k3v9p0q7x2m4c8d1", what="process", bundle_id=42, started_at=ago(minutes=52)),
            JobRow(
                key="b1", what="build", bundle_id=41, started_at=ago(days=2), ended_at=ago(days=2), exit_code=1,
            ),
        )  # fmt: skip
        chosen = next((j for j in jobs if j.key == job), jobs[0])
        return LogsPage(
            guid=guid,
            title=self.page.row.title,
            jobs=jobs,
            chosen=chosen,
            lines=LOG[after or 0 :],
            next=len(LOG),
            cut=True,
            download_url=f"/__api__/v1/content/{guid}/jobs/{chosen.key}/download",
        )

    async def ask(self, request: Request, method: str, path: str, body: object = None) -> Any:
        """Answer as `answers` says, by method and path without its query; a problem there is raised."""
        self.asked_api.append((method, path, body))
        if path == "v1/users/u/keys" and isinstance(body, dict):
            row = {"name": body["name"], "role": body["user_role"], "created_at": ago(minutes=1)}
            self.made.append(KeyRow(id=str(len(self.made) + 1), **row))
            return {"key": "the-secret-of-this-key"}
        if method == "DELETE" and path.startswith("v1/users/u/keys/"):
            self.made = [key for key in self.made if key.id != path.rpartition("/")[2]]
        answer = self.answers.get((method, path.partition("?")[0]))
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def head(self, who: Principal, guid: str) -> ItemHead:
        return ItemHead(row=(await self.item(who, guid)).row)

    async def shares(self, who: Principal, guid: str) -> tuple[ShareRow, ...]:
        return (ShareRow(id="1", kind="user", guid="g", name="grace", role="owner"),)

    async def task(self, who: Principal, task_id: str, after: int) -> TaskPage:
        lines = ("Using Python 3.11.7: the bundle asks for 3.11.4", "Environment 9f3a… is ready, shared with 3 items")
        return TaskPage(id=task_id, title="Making version 43 live", guid=SALES, lines=lines[after:], next=2)

    async def keys(self, who: Principal) -> tuple[KeyRow, ...]:
        return tuple(self.made)

    async def check_claim(self, who: Principal, token: str) -> None:
        if token != "T123":
            raise NotFound("there is no key pair to claim here", hint="Begin again.")

    async def claim(self, who: Principal, token: str) -> None:
        await self.check_claim(who, token)
        self.claimed = (who.username, token)

    async def runtimes(self, who: Principal) -> tuple[RuntimeRow, ...]:
        usable = (
            ("3.13", "3.13.0", "active", 4),
            ("3.11", "3.11.7", "active", 31),
            ("3.9", "3.9.18", "deprecated", 12),
        )
        rows = tuple(
            RuntimeRow(
                version=version,
                path=f"/opt/python/{minor}/bin/python3",
                target=f"/opt/python/{version}/bin/python3",
                implementation="CPython",
                state=state,
                items=items,
            )
            for minor, version, state, items in usable
        )
        broken = "/opt/broken/python3"
        return (*rows, RuntimeRow(version="", path=broken, target=broken, implementation="", why_not="it has no venv"))

    async def waiting(self, who: Principal | None, pool: str) -> Waiting:
        return Waiting(state=Progress.starting, phase="Installing packages", lines=("Collecting pandas",))
