"""How documents have been rendered, as lists and as numbers."""

import datetime as dt
from typing import Any

import pytest
from support.api import World, live_item, row_of
from support.moments import NOON

from rostra.api.schedules_body import ScheduleBody, wanted
from rostra.content import job_records, runs
from rostra.content.tables import Job
from rostra.db.engine import transaction
from rostra.rendering import schedules, variants
from rostra.rendering.tables import Variant

pytestmark = pytest.mark.anyio
HOUR = dt.timedelta(hours=1)


async def document(world: World, title: str = "A report") -> tuple[str, int]:
    """Return a document's guid and its default variant's number."""
    guid = (await live_item(world, title=title))["guid"]
    item = await row_of(world, guid)
    async with transaction(world.live.sessions) as session:
        return guid, (await variants.default(session, item, NOON)).id


async def ran(world: World, guid: str, variant: int, how: str, at: dt.datetime = NOON) -> str:
    item = await row_of(world, guid)
    async with transaction(world.live.sessions) as session:
        job = await job_records.begin(session, item.id, "build_report", at, started=how != "waiting")
        job.variant_id = variant
        if how == "skipped":
            job.skip_reason, job.ended_at = "the run before it had not ended", at
        elif how not in ("running", "waiting"):
            job.ended_at, job.exit_code = at + HOUR / 60, 0 if how == "succeeded" else 1
            job.error = None if how == "succeeded" else "NameError"
        return job.key


@pytest.mark.parametrize("how", runs.OUTCOMES)
def test_an_outcome_is_one_of_five(how: str) -> None:
    facts: dict[str, dict[str, Any]] = {
        "waiting": {"started_at": None},
        "running": {},
        "succeeded": {"ended_at": NOON, "exit_code": 0},
        "failed": {"ended_at": NOON, "exit_code": 1},
        "skipped": {"ended_at": NOON, "skip_reason": "x"},
    }
    usual = {"started_at": NOON, "ended_at": None, "exit_code": None, "skip_reason": None}
    assert runs.outcome(Job(**{**usual, **facts[how]})) == how


async def test_a_variant_is_found_with_its_last_run(world: World) -> None:
    guid, variant = await document(world)
    await ran(world, guid, variant, "failed")
    key = await ran(world, guid, variant, "succeeded")
    page = await world.client("ada").read("v1/search/variants")
    assert (page["total"], page["current_page"]) == (1, 1)
    (row,) = page["results"]
    assert (row["content_guid"], row["content_title"], row["is_default"]) == (guid, "A report", True)
    assert (row["last_run"]["job_key"], row["last_run"]["outcome"], row["schedule"]) == (key, "succeeded", None)


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["Good", "Bad", "Skipped", "New"]),
        ("outcome=failed", ["Bad"]),
        ("outcome=failed|skipped", ["Bad", "Skipped"]),
        ("q=GOO", ["Good"]),
        ("q=%25", []),
        ("scheduled=true", []),
        ("scheduled=false&outcome=succeeded", ["Good"]),
        ("content_guid=unknown", []),
        ("page_size=1&page_number=2", ["Bad"]),
    ],
)
async def test_variants_are_searched(world: World, query: str, titles: list[str]) -> None:
    for title, how in (("Good", "succeeded"), ("Bad", "failed"), ("Skipped", "skipped"), ("New", "")):
        guid, variant = await document(world, title)
        if how:
            await ran(world, guid, variant, "failed" if how == "succeeded" else "succeeded")
            await ran(world, guid, variant, how)
    page = await world.client("root").read(f"v1/search/variants?{query}")
    assert [row["content_title"] for row in page["results"]] == titles


async def test_an_unknown_outcome_is_named(world: World) -> None:
    answer = await world.client("ada").get("v1/search/variants?outcome=better")
    assert (answer.status_code, answer.json()["code"]) == (400, 32)


async def test_other_peoples_documents_and_private_variants_are_not_found(world: World) -> None:
    guid, _ = await document(world)
    assert (await world.client("bob").read("v1/search/variants"))["total"] == 0
    given = {"principal_guid": world.users["bob"].guid, "role": "owner"}
    await world.client("ada").made(f"v1/content/{guid}/permissions", given)
    assert (await world.client("bob").read("v1/search/variants"))["total"] == 1
    await world.change(Variant, visibility="private")
    assert (await world.client("bob").read("v1/search/variants"))["total"] == 0
    assert (await world.client("ada").read("v1/search/variants"))["total"] == 1


async def test_a_history_is_newest_first(world: World) -> None:
    guid, variant = await document(world)
    for how in ("succeeded", "skipped", "failed"):
        await ran(world, guid, variant, how)
    rows = await world.client("ada").read(f"v1/content/{guid}/schedule/history")
    assert [row["outcome"] for row in rows] == ["failed", "skipped", "succeeded"]
    assert (rows[0]["error"], rows[1]["skip_reason"]) == ("NameError", "the run before it had not ended")
    assert len(await world.client("ada").read(f"v1/content/{guid}/schedule/history?limit=2")) == 2


async def test_runs_are_counted_over_time(world: World) -> None:
    guid, variant = await document(world)
    for at, how in (
        (-30, "failed"),
        (-2, "failed"),
        (-2, "succeeded"),
        (-1, "skipped"),
        (0, "running"),
        (0, "waiting"),
    ):
        await ran(world, guid, variant, how, NOON + at * HOUR)
    world.clock.move(seconds=1)
    told = await world.client("root").read("v1/experimental/jobs/summary")
    assert [told[name] for name in ("total", *runs.OUTCOMES)] == [5, 1, 1, 1, 1, 1]
    bars = [(row["time"][11:16], row["failed"], row["waiting"]) for row in told["histogram"]]
    assert bars == [("10:00", 1, 0), ("11:00", 0, 0), ("12:00", 0, 1)]
    assert (await world.client("root").read("v1/experimental/jobs/summary?from=2026-08-31"))["total"] == 6


@pytest.mark.parametrize(
    ("days", "seconds"),
    [(0.1, 300), (0.5, 900), (1, 1800), (2, 3600), (7, 6 * 3600), (31, 24 * 3600), (90, 7 * 86400), (366, 30 * 86400)],
)
def test_the_longer_the_time_the_wider_a_bar(days: float, seconds: int) -> None:
    summary = runs.Summary(since=NOON - dt.timedelta(days=days), until=NOON)
    assert summary.width.total_seconds() == seconds


async def test_publishers_are_told_of_what_they_may_change(world: World) -> None:
    guid, variant = await document(world)
    await ran(world, guid, variant, "failed", NOON - HOUR)
    totals = {name: (await world.client(name).get("v1/experimental/jobs/summary")).json() for name in ("ada", "bob")}
    assert [totals[name]["total"] for name in ("ada", "bob")] == [1, 0]
    assert (await world.client("vic").get("v1/experimental/jobs/summary")).status_code == 403


async def test_a_summary_is_of_a_year_at_most(world: World) -> None:
    told = await world.client("root").read("v1/experimental/jobs/summary?from=2020-01-01&to=2026-09-01T12:00:00Z")
    assert (told["from"], told["bucket_seconds"]) == ("2025-08-31T12:00:00Z", 30 * 86400)


async def test_a_job_names_the_variant_it_rendered(world: World) -> None:
    guid, variant = await document(world)
    await ran(world, guid, variant, "succeeded")
    ada = world.client("ada")
    key = (await ada.read(f"v1/content/{guid}/variants"))[0]["key"]
    job = next(one for one in await ada.read(f"v1/content/{guid}/jobs") if one["variant_id"] != "0")
    assert (job["variant_id"], job["variant_key"]) == (str(variant), key)
    assert await ada.read(f"v1/content/{guid}/jobs/{job['key']}") == job


async def test_a_run_says_how_long_it_took(world: World) -> None:
    guid, variant = await document(world)
    for how in ("succeeded", "waiting"):
        await ran(world, guid, variant, how)
    waiting, done = await world.client("ada").read(f"v1/content/{guid}/schedule/history")
    assert (waiting["duration"], waiting["status"], waiting["outcome"]) == (None, 0, "waiting")
    assert (done["duration"], done["status"]) == (60_000, 2)


async def test_a_schedule_is_included_when_it_is_asked_for(world: World) -> None:
    guid, variant = await document(world)
    assert "schedule" not in await world.client("ada").read(f"v1/content/{guid}?include=schedule")
    async with transaction(world.live.sessions) as session:
        row = await session.get(Variant, variant)
        assert row is not None
        await schedules.create(session, row, every_day(), user_id=world.users["ada"].id, now=NOON)
    found = (await world.client("ada").read(f"v1/content/{guid}?include=schedule"))["schedule"]
    assert (found["type"], found["variant_id"]) == ("day", str(variant))
    (listed,) = await world.client("ada").read("v1/content?include=schedule,owner")
    assert listed["schedule"] == found
    assert "schedule" not in (await world.client("ada").read("v1/content"))[0]


def every_day() -> Any:
    body = ScheduleBody(type="day", schedule='{"N": 1}', start_time="2026-09-02T06:00:00Z", timezone="UTC")
    return wanted(body, None, NOON)
