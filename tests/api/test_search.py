import pytest
from support.api import World, item_of, live_item

from rostra.content.search import Term, parse

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("sales report", [Term("", ("sales",)), Term("", ("report",))]),
        ('"sales report"', [Term("", ("sales report",))]),
        ("owner:@me", [Term("owner", ("@me",))]),
        ("OWNER:ada", [Term("owner", ("ada",))]),
        ("type:a,b", [Term("type", ("a", "b"))]),
        ('tag:"North Sea",x', [Term("tag", ("North Sea", "x"))]),
        ('tag:"a,b"', [Term("tag", ("a,b",))]),
        ("http://x", [Term("", ("http://x",))]),
        ('"open', [Term("", ("open",))]),
        ('""', []),
        ("is:", [Term("", ("is:",))]),
    ],
)
def test_terms(text: str, expected: list[Term]) -> None:
    assert parse(text) == expected


async def collection(world: World) -> dict[str, str]:
    """Return names by guid: two of ada's (one live and public), one of bob's for everybody."""
    live = await live_item(world, title="Sales north", access_type="all")
    draft = await item_of(world, title="Sales south", description="with 100% of it")
    other = await item_of(world, "bob", title="Weather", access_type="logged_in", locked=True)
    return {live["guid"]: "live", draft["guid"]: "draft", other["guid"]: "other"}


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("", {"live", "draft", "other"}),
        ("sales", {"live", "draft"}),
        ("SALES north", {"live"}),
        ('"sales south"', {"draft"}),
        ("100%", {"draft"}),
        ("%", {"draft"}),
        ("bob", {"other"}),
        ("owner:@me", {"live", "draft"}),
        ("owner:BOB", {"other"}),
        ("owner:ada,bob", {"live", "draft", "other"}),
        ("is:published", {"live"}),
        ("is:unpublished owner:@me", {"draft"}),
        ("published:false", {"draft", "other"}),
        ("is:locked", {"other"}),
        ("locked:false is:public", {"live"}),
        ("type:api", {"live"}),
        ("type:python-fastapi,unknown", {"live", "draft", "other"}),
        ("type:app", set()),
        ("access:logged_in", {"other"}),
        ("python:3.11", {"live"}),
        ("python:3.1", set()),
        ("python:3.11.7", {"live"}),
        ("after:2020-01-01", {"live", "draft", "other"}),
        ("before:2020-01-01", set()),
        ("title:weather", {"other"}),
        ("viewer:@me", set()),
        ("' OR 1=1 --", set()),
    ],
)
async def test_what_is_found(world: World, q: str, expected: set[str]) -> None:
    names = await collection(world)
    answer = (await world.client("ada").get("v1/search/content", params={"q": q})).json()
    assert {names[row["guid"]] for row in answer["results"]} == expected
    assert list(answer) == ["results", "current_page", "total"]
    assert answer["total"] == len(expected)


@pytest.mark.parametrize("q", ["published:perhaps", "is:blue", "type:nothing", "python:x", "before:later", "access:x"])
async def test_a_bad_filter_is_left_out_and_named(world: World, q: str) -> None:
    await collection(world)
    answer = (await world.client("ada").get("v1/search/content", params={"q": q})).json()
    assert (len(answer["results"]), len(answer["warnings"])) == (3, 1)
    assert q in answer["warnings"][0]


async def test_nobody_finds_what_they_may_not_know(world: World) -> None:
    names = await collection(world)
    told = await world.client("vic").read("v1/search/content?include=owner")
    assert {names[row["guid"]] for row in told["results"]} == {"live", "other"}
    assert {row["owner"]["username"] for row in told["results"]} == {"ada", "bob"}


@pytest.mark.parametrize(
    ("query", "first"),
    [("sort=title", "live"), ("sort=title&order=desc", "other"), ("page_number=3&page_size=1&sort=title", "other")],
)
async def test_order_and_pages(world: World, query: str, first: str) -> None:
    names = await collection(world)
    told = await world.client("root").read(f"v1/search/content?{query}")
    assert (names[told["results"][0]["guid"]], told["total"]) == (first, 3)
