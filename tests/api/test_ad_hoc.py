"""A document with values of somebody's own: who may ask for it, whose it is, and how long it stays."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from support import api
from support.documents import document, rendered

from rostra.config.sections import Settings
from rostra.content import job_records
from rostra.db.engine import transaction
from rostra.rendering import ad_hoc
from rostra.rendering.tables import Variant

pytestmark = pytest.mark.anyio

CELL = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "region = 'north'\nyear = 2026"}


async def parameterised(world: api.World, **fields: Any) -> Any:
    """Return a document whose notebook takes ``region`` and ``year``, unpacked where it would be."""
    made = await document(world, **fields)
    folder = world.live.places.app(made["guid"], int(made["bundle_id"]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.ipynb").write_text(json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4}))
    return made


async def asked(world: api.World, guid: str, name: str = "ada", **body: Any) -> Any:
    return await world.client(name).post(f"v1/content/{guid}/render", {"parameters": {"region": "west"}, **body})


async def test_a_document_says_what_it_can_be_given(world: api.World) -> None:
    made = await parameterised(world)
    found = await world.client("ada").read(f"v1/content/{made['guid']}/parameters")
    assert [(one["name"], one["input"], one["value"]) for one in found] == [
        ("region", "text", "north"), ("year", "numeric", 2026),
    ]  # fmt: skip
    app = await api.live_item(world)
    assert await world.client("ada").read(f"v1/content/{app['guid']}/parameters") == []


async def test_what_comes_of_it_is_its_askers_alone(world: api.World) -> None:
    made = await parameterised(world, access_type="all")
    answer = await asked(world, made["guid"], "bob")
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert told["path"] == f"/content/{made['guid']}/v{told['variant_key']}/"
    bob = world.client("bob")
    one = await bob.read(f"v1/content/{made['guid']}/variants/{told['variant_key']}")
    assert (one["ad_hoc"], one["visibility"], one["parameters"]) == (True, "private", {"region": "west"})
    assert one["name"] == "region: west"
    for other in ("ada", "root"):
        path = f"v1/content/{made['guid']}/variants/{told['variant_key']}"
        assert (await world.client(other).get(path)).status_code == 404
    (listed,) = await bob.read(f"v1/content/{made['guid']}/ad-hoc-variants")
    assert (listed["variant"]["key"], listed["path"]) == (told["variant_key"], told["path"])


async def test_it_is_in_no_list(world: api.World) -> None:
    made = await parameterised(world)
    ada = world.client("ada")
    await asked(world, made["guid"])
    for path in (f"v1/content/{made['guid']}/variants", f"applications/{made['guid']}/variants"):
        assert [one["is_default"] for one in await ada.read(path)] == [True]
    assert [one["is_default"] for one in (await ada.read("v1/search/variants"))["results"]] == [True]


async def test_nobody_reads_its_values_in_the_audit_log(world: api.World) -> None:
    made = await parameterised(world, access_type="all")
    root, bob = world.client("root"), world.client("bob")
    told = (await asked(world, made["guid"], "bob", parameters={"region": "atlantis"})).json()
    await bob.ask("DELETE", f"v1/content/{made['guid']}/variants/{told['variant_key']}")
    entries = (await root.read("v1/audit_logs?limit=50"))["results"]
    assert "render_content" in {one["action"] for one in entries}
    for one in entries:
        assert "atlantis" not in json.dumps(await root.read(f"v1/audit_logs/{one['id']}"))


@pytest.mark.parametrize(
    "values",
    [
        {"region": "a\0b"},
        {"region": ["a\0b"]},
        {"region": "a\ud800b"},
        {"region": {"a\ud800b": 1}},
        {"region": json.loads("[" * 200 + "]" * 200)},
    ],
)
async def test_values_that_could_not_be_stored_or_told_are_refused(world: api.World, values: dict[str, Any]) -> None:
    made = await parameterised(world)
    ada = world.client("ada")
    assert (await asked(world, made["guid"], parameters=values)).status_code == 400
    sent = {"name": "South", "parameters": values}
    assert (await ada.post(f"v1/content/{made['guid']}/variants", sent)).status_code == 400
    assert await ada.read(f"v1/content/{made['guid']}/ad-hoc-variants") == []


@pytest.mark.parametrize("key", ["a\0b", "a\ud800b"])
async def test_a_key_that_no_variant_can_have_is_none(world: api.World, key: str) -> None:
    made = await parameterised(world)
    assert (await asked(world, made["guid"], variant_key=key)).status_code == 404


def test_a_password_is_no_part_of_its_name() -> None:
    assert ad_hoc.name_for({"region": "west", "code": "open sesame"}, {"code"}) == "region: west, code: …"


async def test_it_begins_with_the_values_of_a_variant(world: api.World) -> None:
    made = await parameterised(world)
    ada = world.client("ada")
    given = {"name": "South", "parameters": {"region": "south", "year": 1999}}
    base = await ada.made(f"v1/content/{made['guid']}/variants", given)
    told = (await asked(world, made["guid"], variant_key=base["key"])).json()
    found = await ada.read(f"v1/content/{made['guid']}/variants/{told['variant_key']}")
    assert found["parameters"] == {"region": "west", "year": 1999}
    assert (await ada.read(f"v1/content/{made['guid']}/variants/{base['key']}"))["parameters"] == given["parameters"]


async def test_a_name_the_document_does_not_have_is_refused(world: api.World) -> None:
    made = await parameterised(world)
    answer = await asked(world, made["guid"], parameters={"regoin": "west"})
    assert answer.status_code == 400
    assert "has no 'regoin', but region, year" in answer.json()["error"]


@pytest.mark.parametrize(("permitted", "status"), [(True, 202), (False, 403)])
async def test_viewers_ask_for_it_when_the_server_lets_them(
    engine: AsyncEngine, database_settings: Settings, permitted: bool, status: int
) -> None:
    applications = dataclasses.replace(database_settings.applications, viewer_on_demand_reports=permitted)
    settings = dataclasses.replace(database_settings, applications=applications)
    async with api.world(engine, settings) as world:
        made = await parameterised(world, access_type="logged_in")
        assert (await asked(world, made["guid"], "vic")).status_code == status
        assert (await asked(world, made["guid"], "ada")).status_code == 202


async def test_who_may_not_see_it_cannot_ask(world: api.World) -> None:
    made = await parameterised(world)
    assert (await asked(world, made["guid"], "vic")).status_code == 404


async def test_it_has_no_schedule_until_it_is_kept(world: api.World) -> None:
    made = await parameterised(world)
    ada = world.client("ada")
    key = (await asked(world, made["guid"])).json()["variant_key"]
    schedule = {"type": "day", "schedule": {"N": 1}, "start_time": "2026-01-01T08:00:00Z", "timezone": "UTC"}
    refused = await ada.ask("PUT", f"v1/content/{made['guid']}/schedule?variant_key={key}", schedule)
    assert (refused.status_code, refused.json()["code"]) == (409, 73)
    path = f"v1/content/{made['guid']}/variants/{key}"
    assert (await ada.ask("PATCH", path, {"visibility": "public"})).status_code == 400
    kept = await ada.ask("PATCH", path, {"ad_hoc": False, "name": "West", "visibility": "public"})
    assert (kept.json()["ad_hoc"], kept.json()["name"]) == (False, "West")
    assert (await ada.ask("PATCH", path, {"ad_hoc": True})).status_code == 400
    put = await ada.ask("PUT", f"v1/content/{made['guid']}/schedule?variant_key={key}", schedule)
    assert put.status_code == 200
    assert len(await ada.read(f"v1/content/{made['guid']}/variants")) == 2


async def test_only_so_many_at_once_for_one_person(world: api.World) -> None:
    made = await parameterised(world, access_type="all")
    now = world.clock.now()
    for _ in range(ad_hoc.MOST_AT_ONCE):
        key = (await asked(world, made["guid"])).json()["variant_key"]
        await begun(world, key, now)
    refused = await asked(world, made["guid"])
    assert refused.status_code == 409
    assert "still being made" in refused.json()["error"]
    assert (await asked(world, made["guid"], "bob")).status_code == 202


async def begun(world: api.World, key: str, now: dt.datetime) -> str:
    """Let a variant's rendering be made, as its worker would."""
    async with transaction(world.live.sessions) as session:
        found = sa.select(Variant).where(Variant.key == key)
        variant = (await session.execute(found)).scalar_one()
        job = await job_records.begin(session, variant.item_id, "build_jupyter", now, key=f"job{key}", log=None)
        job.variant_id = variant.id
        return job.key


async def test_it_goes_after_its_time_with_what_was_rendered_but_not_while_it_is_made(world: api.World) -> None:
    made = await parameterised(world)
    ada, now = world.client("ada"), world.clock.now()
    done, busy = [(await asked(world, made["guid"])).json()["variant_key"] for _ in range(2)]
    number = (await ada.read(f"v1/content/{made['guid']}/variants/{done}"))["id"]
    await rendered(world, made["guid"], variant_id=int(number))
    await begun(world, busy, now)
    async with transaction(world.live.sessions) as session:
        assert await ad_hoc.expire(session, now) == []
    async with transaction(world.live.sessions) as session:
        folders = await ad_hoc.expire(session, now + dt.timedelta(seconds=1))
    assert folders == [f"renderings/{made['guid']}/r{number}"]
    left = await ada.read(f"v1/content/{made['guid']}/ad-hoc-variants")
    assert [one["variant"]["key"] for one in left] == [busy]
