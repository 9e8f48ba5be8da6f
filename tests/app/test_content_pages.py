"""What control itself answers on content paths."""

from __future__ import annotations

import pytest
from support.controlling import World, until

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}


async def test_files_are_sent_with_what_lets_browsers_keep_them(world: World) -> None:
    guid = await world.static({"index.html": "<p>hello", "plots/a.svg": "<svg/>", "docs/index.html": "docs"})
    first = await world.get(f"/content/{guid}/")
    assert (first.status_code, first.text) == (200, "<p>hello")
    again = await world.get(f"/content/{guid}/", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert (await world.get(f"/content/{guid}/plots/a.svg")).headers["content-type"].startswith("image/svg")
    assert (await world.get(f"/content/{guid}/docs/")).text == "docs"


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [("", "/"), ("?a=1&b=%2F", "/?a=1&b=%2F"), ("/docs?x=1", "/docs/?x=1")],
)
async def test_a_missing_slash_is_added_and_the_query_kept(world: World, path: str, leads_to: str) -> None:
    guid = await world.static({"index.html": "x", "docs/index.html": "docs"})
    answer = await world.get(f"/content/{guid}{path}")
    assert (answer.status_code, answer.headers["location"]) == (307, f"/content/{guid}{leads_to}")


@pytest.mark.parametrize("rest", ["nothing.html", "manifest.json", "..%2f..%2frostra.db", ".hidden", "%00"])
async def test_what_is_not_for_visitors_is_not_there(world: World, rest: str) -> None:
    guid = await world.static({"index.html": "x", ".hidden": "secret"})
    assert (await world.get(f"/content/{guid}/{rest}")).status_code == 404


async def test_files_are_only_read(world: World) -> None:
    guid = await world.static({"index.html": "x"})
    answer = await world.ask("POST", f"/content/{guid}/", content=b"x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    head = await world.ask("HEAD", f"/content/{guid}/")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "1", b"")


async def test_who_may_not_come_in_is_told_what_to_do(world: World) -> None:
    guid = await world.static({"index.html": "x"}, "acl")
    path = f"/content/{guid}/?a=1"
    program = await world.get(path)
    assert (program.status_code, program.headers["www-authenticate"]) == (401, "Key")
    browser = await world.get(path, **HTML)
    assert browser.status_code in (302, 303, 307)
    assert browser.headers["location"].startswith("/__login__?url=")
    other = await world.get(path, "bob", **HTML)
    assert other.status_code == 403
    assert "bob" in other.text
    assert (await world.get(path, "ada")).status_code == 200
    assert (await world.ask("GET", path, authorization="Key wrong")).status_code == 401


async def test_what_is_not_to_be_known_looks_like_nothing(world: World) -> None:
    unknown = await world.get("/content/00000000-0000-4000-8000-000000000000/")
    elsewhere = await world.get("/no/such/place")
    assert (unknown.status_code, unknown.json()["problem"]) == (404, "not-found")
    assert unknown.json() == elsewhere.json()


async def test_an_item_without_a_version_says_so(world: World) -> None:
    answer = await world.get(f"/content/{await world.item()}/")
    assert (answer.status_code, answer.json()["problem"]) == (404, "not-published")


async def test_a_closed_item_shows_its_owners_words(world: World) -> None:
    guid = await world.static({"index.html": "x"})
    await world.api("PATCH", f"content/{guid}", {"locked": True, "locked_message": "Back on <b>Monday</b>"})
    page = await world.get(f"/content/{guid}/", **HTML)
    assert page.status_code == 403
    assert "Back on &lt;b&gt;Monday" in page.text


async def test_a_crash_is_explained_and_log_lines_are_for_those_who_may_change_it(world: World) -> None:
    guid = await world.published()
    await world.crashes(guid, says="Traceback: secret detail")
    public = await world.get(f"/content/{guid}/", **HTML)
    assert public.status_code == 502
    assert "secret detail" not in public.text
    assert "secret detail" in (await world.get(f"/content/{guid}/", "ada", **HTML)).text


async def test_when_all_are_full_visitors_are_told_when_to_come_back(world: World) -> None:
    guid = await world.published(max_processes=1)
    answer = await world.get(f"/content/{guid}/")
    assert (answer.status_code, answer.json()["problem"]) == (503, "at-capacity")
    assert int(answer.headers["retry-after"]) > 0


async def test_what_sleeps_is_woken_by_asking_again(world: World) -> None:
    """A visitor can get here just when the last process has gone; nobody would start another while they wait."""
    guid = await world.published()
    world.house.launcher.crash(world.running(guid)[0], lost=True)
    await until(lambda: not world.running(guid))
    answer = await world.get(f"/content/{guid}/")
    assert (answer.status_code, answer.json()["problem"]) == (503, "starting")
    status = await world.get(f"/__status__/{guid}")
    assert status.json()["state"] == "ready", "the page asks for the content again, and that starts it"


async def test_an_old_version_is_shown_to_those_who_may_change_it(world: World) -> None:
    guid = await world.static({"index.html": "old"})
    live = (await world.api("GET", f"content/{guid}"))["bundle_id"]
    newer = await world.upload(
        guid, {"index.html": "new"}, metadata={"appmode": "static", "primary_html": "index.html"}
    )
    assert (await world.deploy(guid, newer))["code"] == 0
    assert (await world.get(f"/content/{guid}/")).text == "new"
    assert (await world.get(f"/content/{guid}/_bundle{live}/", "ada")).text == "old"
    assert (await world.get(f"/content/{guid}/_bundle{live}/", "bob")).status_code == 403
    assert (await world.get(f"/content/{await world.item()}/_bundle{live}/", "ada")).status_code == 404
