"""The page of a document's renderings: schedules of every kind, variants, and who is mailed."""

from __future__ import annotations

import datetime as dt
import json

import pytest
import sqlalchemy as sa
from support.browsing import browser
from support.controlling import World

from rostra.content.tables import Job
from rostra.db.engine import transaction
from rostra.jobs import queue
from rostra.jobs.tables import Task

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("every", "more", "payload", "words"),
    [
        ("minute", {"n": "15"}, {"N": 15}, "every 15 minutes"),
        ("hour", {"n": "1"}, {"N": 1}, "every hour"),
        ("day", {"n": "2"}, {"N": 2}, "every 2 days at 07:30, Europe/Zurich"),
        ("weekday", {}, {}, "Monday to Friday at 07:30, Europe/Zurich"),
        ("week", {"n": "1"}, {"N": 1}, "every week on Monday at 07:30, Europe/Zurich"),
        ("dayofweek", {"day-1": "on", "day-5": "on"}, {"Days": [1, 5]}, "every Monday, Friday at 07:30, Europe/Zurich"),
        ("semimonth", {"first": "last"}, {"First": False}, "on the 14th and the last day of the month"),
        ("dayofmonth", {"n": "3", "day": "-1"}, {"N": 3, "Day": -1}, "every 3 months on the last day"),
        ("dayweekofmonth", {"weekday": "1", "week": "2"}, {"N": 1, "Day": 1, "Week": 2}, "on the 2nd Monday"),
        ("year", {"n": "1"}, {"N": 1}, "every year on 7 December"),
    ],
)
async def test_every_kind_of_schedule_is_set_and_shown_again(
    world: World, every: str, more: dict[str, str], payload: object, words: str
) -> None:
    guid = await world.document()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/schedule")
        when = {"start": "2026-12-07T07:30", "timezone": "Europe/Zurich", "email": "on"}
        cleared = {"day-1": None} if every == "dayofweek" else {}
        await ada.submit("/set", {"every": every, **when, **cleared, **more})
        assert (ada.status, "The schedule is set." in ada.page) == (200, True)
        there = await world.api("GET", f"content/{guid}/schedule")
        assert (there["type"], json.loads(there["schedule"])) == (every, payload)
        assert words in there["words"]
        assert (there["email"], there["activate"], there["paused"]) == (True, True, False)
        form = ada.form("/set")
        assert (form.fields["every"], form.fields["start"]) == (every, "2026-12-07T07:30")
        await ada.submit("/set")  # as it stands
        again = await world.api("GET", f"content/{guid}/schedule")
    assert {**again, "id": 0} == {**there, "id": 0}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"every": "day", "n": "often"}, "whole number"),
        ({"every": "day", "n": "0"}, "whole number from 1"),
        ({"every": "day", "n": ""}, "missing"),
        ({"every": "dayofweek", "day-1": None}, "o day of the week was chosen"),
        ({"every": "day", "start": "yesterday"}, "is not a time"),
        ({"every": "day", "start": "1999-01-01T00:00"}, "between 2010"),
    ],
)
async def test_a_schedule_that_cannot_be_is_refused_and_what_was_filled_in_stays(
    world: World, given: dict[str, str | None], says: str
) -> None:
    guid = await world.document()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/schedule")
        await ada.submit("/set", {"timezone": "Asia/Tokyo", **given})
        assert ada.status == 400
        assert says in ada.page
        fields = ada.form("/set").fields
        assert (fields["timezone"], fields["every"], fields.get("n")) == (
            "Asia/Tokyo", given["every"], given.get("n", "1"),
        )  # fmt: skip
    assert (await world.get(f"/__api__/v1/content/{guid}/schedule", "ada")).status_code == 404


async def test_a_schedule_is_paused_goes_on_and_is_removed(world: World) -> None:
    guid = await world.document()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/schedule")
        await ada.submit("/set")
        await ada.submit("/pause")
        assert (await world.api("GET", f"content/{guid}/schedule"))["paused"]
        assert "paused" in ada.page
        await ada.submit("/pause")
        assert not (await world.api("GET", f"content/{guid}/schedule"))["paused"]
        await ada.submit("/unset")
        assert "Only when somebody asks for it." in ada.page


async def test_variants_are_made_changed_rendered_by_schedule_and_deleted(world: World) -> None:
    guid = await world.document()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/schedule")
        await ada.submit("/new", {"name": "North", "parameters": "{not json"})
        assert ada.status == 400
        assert "not JSON" in ada.page
        await ada.submit("/new", {"name": "North", "visibility": "private", "parameters": '{"region": "north"}'})
        _, variant = await world.api("GET", f"content/{guid}/variants")
        assert (variant["name"], variant["visibility"]) == ("North", "private")
        assert variant["parameters"] == {"region": "north"}
        await ada.submit("/set", {"every": "hour"}, variant=variant["key"])
        await ada.submit("/change", {"name": "Northern", "parameters": '{"region": "n"}', "visibility": "public"})
        assert "Northern" in ada.page
        schedule = await world.api("GET", f"content/{guid}/schedule?variant_key={variant['key']}")
        assert schedule["type"] == "hour"
        await ada.submit("/remove")
    assert [one["name"] for one in await world.api("GET", f"content/{guid}/variants")] == ["Default"]


async def test_who_is_mailed_is_said_and_changed(world: World) -> None:
    guid = await world.document()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/schedule")
        await ada.submit("/mail", {"email_collaborators": "on"})
        (variant,) = await world.api("GET", f"content/{guid}/variants")
        assert (variant["email_collaborators"], variant["email_viewers"]) == (True, False)
        await ada.submit("/subscribe", {"name": "vic"})
        await ada.submit("/watch", {"name": "bob"})
        assert [one["username"] for one in await world.api("GET", f"content/{guid}/failure-subscribers")] == ["bob"]
        await ada.submit("/unwatch")
        await ada.submit("/unsubscribe")
        assert ada.page.count("Nobody.") == 2
        await ada.submit("/subscribe", {"name": "nobody-here"})
        assert (ada.status, "nobody and no group" in ada.page) == (400, True)


async def test_an_app_has_no_page_of_renderings(world: World) -> None:
    guid = await world.published()
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}")
        assert "/schedule" not in ada.page


CELL = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "region = 'north'\nyear = 2026"}


async def parameterised(world: World) -> str:
    """Return a document everybody with an account may read, whose notebook takes two values.

    Another server works on it, so that what is asked for waits.
    """
    guid, now = await world.document("logged_in"), world.house.clock.now()
    async with transaction(world.control.tools.sessions) as session:
        task = await queue.enqueue(session, "deploy", {}, now, subject=guid)
        taken = {"started_at": now, "leased_until": now + dt.timedelta(days=1), "worker": "another server's"}
        await session.execute(sa.update(Task).where(Task.id == task).values(**taken))
    row = await world.row(guid)
    folder = world.control.tools.places.app(guid, row.live_bundle_id or 0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.ipynb").write_text(json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4}))
    return guid


async def test_a_viewer_renders_a_document_with_values_of_their_own(world: World) -> None:
    guid = await parameterised(world)
    async with browser(world, "vic") as vic:
        await vic.open(f"/connect/apps/{guid}")
        assert f"/connect/apps/{guid}/run" in vic.page
        await vic.open(f"/connect/apps/{guid}/run")
        fields = vic.form("/render").fields
        assert (fields["p-region"], fields["p-year"]) == ("north", "2026")
        await vic.submit("/render", {"p-year": "soon"})
        assert (vic.status, "ear must be a number" in vic.page) == (400, True)
        assert vic.form("/render").fields["p-year"] == "soon"
        await vic.submit("/render", {"p-region": "west", "p-year": "1999"})
        assert (vic.status, "It is being rendered for you." in vic.page) == (200, True)
        (look,) = await world.api("GET", f"content/{guid}/ad-hoc-variants", name="vic")
        assert look["variant"]["parameters"] == {"region": "west", "year": 1999}
        assert look["path"] in vic.page
        assert "region: west, year: 1999" in vic.page
        assert "Keep it" not in vic.page, "only who may change the content adds variants"


async def test_an_authors_values_become_a_variant(world: World) -> None:
    guid = await parameterised(world)
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/run")
        await ada.submit("/render", {"p-region": "west"})
        (look,) = await world.api("GET", f"content/{guid}/ad-hoc-variants")
        async with transaction(world.control.tools.sessions) as session:
            done = {"ended_at": world.house.clock.now(), "exit_code": 0}
            await session.execute(sa.update(Job).where(Job.variant_id == int(look["variant"]["id"])).values(**done))
        await ada.open(f"/connect/apps/{guid}/run")
        await ada.submit("/keep", {"name": "West", "visibility": "public"})
        assert "Kept as a variant" in ada.page
    _, kept = await world.api("GET", f"content/{guid}/variants")
    assert (kept["name"], kept["key"], kept["ad_hoc"]) == ("West", look["variant"]["key"], False)


async def test_a_variant_is_given_its_values_by_a_form(world: World) -> None:
    guid = await parameterised(world)
    async with browser(world, "ada") as ada:
        await ada.open(f"/connect/apps/{guid}/schedule")
        assert "as JSON" not in ada.page
        await ada.submit("/new", {"name": "West", "p-region": "west", "p-year": "soon"})
        assert (ada.status, "ear must be a number" in ada.page) == (400, True)
        again = ada.form("/new").fields
        assert (again["name"], again["p-region"], again["p-year"]) == ("West", "west", "soon")
        assert ada.form("/change").fields["p-region"] == "north"
        await ada.submit("/new", {"p-year": "2026"})
        west = (await world.api("GET", f"content/{guid}/variants"))[1]
        assert west["parameters"] == {"region": "west"}, "a default that was left alone is not set"
        assert ada.form("/change").fields["p-region"] == "west"
        await ada.submit("/change", {"p-region": "north", "p-year": "1999"})
        west = (await world.api("GET", f"content/{guid}/variants"))[1]
        assert west["parameters"] == {"region": "north", "year": 1999}
        assert "Other values, as JSON" not in ada.page
        path = f"content/{guid}/variants/{west['key']}"
        await world.api("PATCH", path, {"parameters": {"region": "west", "unit": "kg"}})
        await ada.open(f"/connect/apps/{guid}/schedule?variant={west['key']}")
        assert "Other values, as JSON" in ada.page
        await ada.submit("/change", {"p-region": "south"})
        assert (await world.api("GET", path))["parameters"] == {"region": "south", "unit": "kg"}
        await ada.submit("/change", {"parameters": ""})
        assert (await world.api("GET", path))["parameters"] == {"region": "south"}
