"""The audit: what it says, how it is filtered and sorted, and that it asks the database twice, whatever is there."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from support.items import NOW, add_item, add_user
from support.offers import offer

from rostra.auth.tables import User
from rostra.config import sections
from rostra.config.values import version_range
from rostra.content import audit, audit_report, usage
from rostra.content.audit import Audit, Server, Wanted
from rostra.content.tables import Bundle, Item
from rostra.content.usage import Seen
from rostra.environments.tables import EnvironmentRecord
from rostra.runtimes.lifecycle import rules_of
from rostra.runtimes.model import Policy

pytestmark = pytest.mark.anyio


async def publish(
    session: AsyncSession, owner: User, title: str, version: str | None, *, kind: str = "python-fastapi", **more: object
) -> Item:
    item = await add_item(session, owner, title=title)
    bundle = Bundle(
        item_id=item.id,
        created_at=NOW,
        size=1,
        md5="",
        sha1="",
        sha256="",
        kind=kind,
        state="built",
        requested_version=version,
        runtime_version=version,
        runtime_path=f"/opt/python/{version}/bin/python3",
        match_reason="Chose exact match",
        environment_key=f"env-{version}",
    )
    for name, value in more.items():
        setattr(bundle, name, value)
    session.add(bundle)
    await session.flush()
    item.live_bundle_id, item.kind, item.deployed_at = bundle.id, kind, NOW - dt.timedelta(days=10)
    await session.flush()
    return item


async def visits(session: AsyncSession, item: Item, *days: float) -> None:
    at = [NOW - dt.timedelta(days=day) for day in days]
    await usage.store(session, [Seen(item=item.guid, user=None, path="/", at=when, agent="") for when in at])


def server(
    offered: str, *, retired: str = "", running: dict[str, int] | None = None, scheduled: dict[str, str] | None = None
) -> Server:
    rules = rules_of(sections.Python(retired=(retired,) if retired else ()))
    return Server(
        runtimes=offer(offered),
        policy=Policy.major_minor,
        rules=rules,
        running=running or {},
        scheduled=scheduled or {},
    )


async def small(session: AsyncSession) -> dict[str, Item]:
    ada, bob = await add_user(session, "ada"), await add_user(session, "bob")
    ada.email, ada.first_name, ada.last_name = "ada@example.org", "Ada", "L"
    found = {
        "sales": await publish(session, ada, "Sales", "3.8.18", requested_version="3.8.1"),
        "report": await publish(session, ada, "Report", "3.11.7", kind="jupyter-static"),
        "api": await publish(session, bob, "API", "3.11.7", requested_version=None, requested_range=">=3.9"),
    }
    await publish(session, bob, "Plain files", None, kind="static")
    await add_item(session, bob, title="Empty")
    deleted = await publish(session, bob, "Deleted", "3.8.18")
    deleted.deleted_at = NOW
    await visits(session, found["sales"], 1, 40)
    await visits(session, found["api"], 2, 3)
    return found


async def test_everything_an_administrator_asks(session: AsyncSession) -> None:
    items = await small(session)
    running = {items["sales"].guid: 2}
    retired = "3.11 from 2027-01-31"
    found = await audit.audit(session, server("3.11.7 3.12.1", retired=retired, running=running), Wanted(), NOW)
    assert [(row.version, row.state, row.items) for row in found.versions] == [
        ("3.12.1", "active", 0),
        ("3.11.7", "active", 2),
        ("3.8.18", "gone", 1),
    ]
    newest, used, gone = found.versions
    assert (str(used.turn.day), used.turn.state) == ("2027-01-31", "retired") if used.turn else False
    assert (str(gone.ends), gone.over, gone.processes, gone.visits_30, gone.visits_90) == ("2024-10-07", True, 2, 1, 2)
    assert (newest.over, newest.executables) == (False, ("/opt/python/3.12.1/bin/python3",))
    assert [row.title for row in found.items] == ["API", "Report", "Sales"], "by version, then by use"
    sales = found.items[-1]
    assert (sales.lost, sales.owner, sales.owner_name, sales.contact) == (True, "ada", "Ada L", "ada@example.org")
    assert (sales.requested_version, sales.reason) == ("3.8.1", "Chose exact match")
    assert sales.visited_at == NOW - dt.timedelta(days=1)
    assert not found.items[0].lost


@pytest.mark.parametrize(
    ("wanted", "expected", "why"),
    [
        ({"versions": "3.8"}, ["Sales"], "a series"),
        ({"versions": "<3.10"}, ["Sales"], "a range"),
        ({"versions": ">=3.9"}, ["API", "Report"], "the other side"),
        ({"kind": "jupyter-static"}, ["Report"], "a kind"),
        ({"owner": "ADA"}, ["Report", "Sales"], "an owner by name"),
        ({"owner": "ada@example.org"}, ["Report", "Sales"], "an owner by address"),
        ({"unused_for": dt.timedelta(days=1.5)}, ["API", "Report"], "not since; never counts, too"),
        ({"unused_for": dt.timedelta(days=30)}, ["Report"], "never visited"),
        ({"owner": "ada", "versions": "3.11"}, ["Report"], "all of them together"),
    ],
)
async def test_filters(session: AsyncSession, wanted: dict[str, object], expected: list[str], why: str) -> None:
    await small(session)
    if "versions" in wanted:
        wanted["versions"] = version_range(str(wanted["versions"]))
    found = await audit.audit(session, server("3.11.7"), Wanted(**wanted), NOW)  # type: ignore[arg-type]
    assert [row.title for row in found.items] == expected, why
    assert sum(row.items for row in found.versions) == len(expected)


async def test_an_item_says_when_it_is_rendered(session: AsyncSession) -> None:
    items = await small(session)
    told = server("3.11.7", scheduled={items["sales"].guid: "every hour"})
    found = await audit.audit(session, told, Wanted(), NOW)
    by_guid = {row.guid: audit_report.item_json(row, str)["schedule"] for row in found.items}
    assert by_guid.pop(items["sales"].guid) == "every hour"
    assert set(by_guid.values()) == {None}


async def test_environments_and_the_packages_in_them_are_counted(session: AsyncSession) -> None:
    session.add_all(
        EnvironmentRecord(
            key=key,
            runtime_version="3.8.18",
            runtime_path="/p",
            path=key,
            installer="uv",
            lock="",
            created_at=NOW,
            used_at=NOW,
            packages=[{"name": name, "version": key} for name in ("flask", f"only-in-{key}")],
        )
        for key in "ab"
    )
    await session.flush()
    found = await audit.audit(session, server(""), Wanted(), NOW)
    (row,) = found.versions
    assert (row.version, row.items, row.kept) == ("3.8.18", 0, audit.Kept(environments=2, packages=3))
    told = audit_report.version_json(row)
    assert (told["environments"], told["packages"]) == (2, 3)


@contextmanager
def counted(engine: AsyncEngine) -> Iterator[list[str]]:
    said: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith("SELECT"):
            said.append(statement)

    event.listen(engine.sync_engine, "before_cursor_execute", hear)
    yield said
    event.remove(engine.sync_engine, "before_cursor_execute", hear)


async def many(session: AsyncSession, count: int) -> None:
    """Insert ``count`` items with live bundles, quickly."""
    owner = await add_user(session, "ada")
    stamp = {"created_at": NOW, "updated_at": NOW, "settings": {}, "owner_id": owner.id}
    text = dict.fromkeys(("description", "content_category", "locked_message"), "")
    await session.execute(
        sa.insert(Item),
        [
            {"id": n, "guid": f"g{n}", "name": f"n{n}", "kind": "python-fastapi", "live_bundle_id": n, **stamp, **text}
            for n in range(1, count + 1)
        ],
    )
    built = {"size": 1, "md5": "", "sha1": "", "sha256": "", "kind": "python-fastapi", "state": "built", "manifest": {}}
    await session.execute(
        sa.insert(Bundle),
        [
            {
                "id": n,
                "item_id": n,
                "created_at": NOW,
                "runtime_version": f"3.{8 + n % 6}.1",
                "runtime_path": "/p",
                "metadata_": {},
                **built,
            }
            for n in range(1, count + 1)
        ],
    )


@pytest.mark.parametrize("count", [10, 10_000])
async def test_two_queries_however_many_items(session: AsyncSession, engine: AsyncEngine, count: int) -> None:
    await many(session, count)
    with counted(engine) as said:
        found = await audit.audit(session, server("3.9.1 3.13.1"), Wanted(), NOW)
    assert len(found.items) == count
    assert len(said) == 2


def report(title: str) -> Audit:
    row = audit.ItemRow(
        guid="g",
        title=title,
        kind="python-fastapi",
        owner="ada",
        owner_name="",
        contact="",
        requested_version=None,
        requested_range=None,
        version="3.8.1",
        reason="",
        lost=True,
        environment=None,
        deployed_at=None,
        visited_at=None,
        visits_30=0,
        visits_90=0,
    )
    return Audit(versions=(), items=(row,), made_at=NOW)


@pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@x", "\t=1"])
def test_no_title_becomes_a_formula(title: str) -> None:
    rows = [audit_report.item_json(row, str) for row in report(title).items]
    read = list(csv.DictReader(io.StringIO(audit_report.to_csv(rows))))
    assert read[0]["title"] == f"'{title}"
    assert read[0]["interpreter_gone"] == "true"
    assert read[0]["last_visit"] == ""


def test_a_table_without_rows_has_its_names() -> None:
    rows = [audit_report.item_json(row, str) for row in report("x").items]
    assert audit_report.to_csv([]).splitlines() == [",".join(rows[0])] == audit_report.to_csv(rows).splitlines()[:1]
