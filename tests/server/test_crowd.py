"""Fifty clients at once make, change, deploy and delete: nothing is lost, nothing blocks, nothing fails."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from support.accounts import account
from support.bundles import bundle
from support.direct import packed, source
from support.server import Server

pytestmark = [pytest.mark.server, pytest.mark.anyio, pytest.mark.xdist_group("server")]

CLIENTS = 50
SECONDS = 300.0  # for all of a test, on a busy machine; what blocks never ends
PAGE = {"metadata": {"appmode": "static", "primary_html": "index.html"}}


@dataclass
class Crowd:
    """Clients of one server. ``answers`` counts every status, ``failures`` keeps what no client may be told."""

    server: Server
    clients: list[httpx2.AsyncClient] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    async def ask(self, client: int, method: str, path: str, body: Any = None) -> httpx2.Response:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        answer = await self.clients[client].request(method, path, content=content)
        self.answers[answer.status_code] += 1
        if answer.status_code >= 500:
            self.failures.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer

    async def done(self, client: int, method: str, path: str, body: Any = None) -> Any:
        """Ask below the API, and expect success."""
        answer = await self.ask(client, method, f"/__api__/v1/{path}", body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    async def finished(self, client: int, task: str) -> Any:
        seen = {"finished": False}
        while not seen["finished"]:
            seen = await self.done(client, "GET", f"tasks/{task}?first=1000000&wait=10")
        return seen

    async def together(self, *work: Any) -> list[Any]:
        async with asyncio.timeout(SECONDS):
            return list(await asyncio.gather(*work))


PEOPLE = 10


@pytest.fixture(scope="module")
def keys(either: Server) -> list[str]:
    """Return the keys of ten publishers, which the fifty clients use in turn."""
    return [account(either, f"person{number}", "publisher") for number in range(PEOPLE)]


@pytest.fixture
async def crowd(either: Server, keys: list[str]) -> AsyncIterator[Crowd]:
    made = Crowd(either)
    async with contextlib.AsyncExitStack() as stack:
        for number in range(CLIENTS):
            headers = {"Authorization": f"Key {keys[number % PEOPLE]}"}
            client = httpx2.AsyncClient(base_url=either.origin, timeout=SECONDS, headers=headers)
            made.clients.append(await stack.enter_async_context(client))
        yield made
    assert made.failures == []


async def test_items_live_and_die_side_by_side(crowd: Crowd) -> None:
    """Each client makes an item, changes it again and again, deploys it, is visited, and every second one deletes."""
    tag = await tags(crowd)
    ends = await crowd.together(*(life(crowd, number, tag) for number in range(CLIENTS)))
    for number, (guid, last) in enumerate(ends):
        answer = await crowd.ask(number, "GET", f"/__api__/v1/content/{guid}?include=tags")
        if number % 2:
            assert answer.status_code == 404, number
            continue
        item = answer.json()
        assert (item["title"], item["description"], item["bundle_id"]) == last, number
        assert [one["name"] for one in item["tags"]] == ["crowd"], number
        names = await crowd.done(number, "GET", f"content/{guid}/environment")
        assert names == sorted(f"N{turn}" for turn in range(5)), number
        page = await crowd.ask(number, "GET", f"/content/{guid}/")
        assert (page.status_code, page.text) == (200, f"<p>two of {number}"), number
    listed = {item["guid"] for item in crowd.server.ask("/__api__/v1/content")}
    assert {guid for number, (guid, _) in enumerate(ends) if number % 2 == 0} <= listed
    assert not {guid for number, (guid, _) in enumerate(ends) if number % 2} & listed
    assert crowd.server.ask("/__api__/v1/queue?page_size=500")["results"] == []


async def tags(crowd: Crowd) -> str:
    """Return the number of a tag, made by the administrator."""
    server = crowd.server
    category = server.ask("/__api__/v1/tags", "POST", {"name": "All"})
    made = server.ask("/__api__/v1/tags", "POST", {"name": "crowd", "parent_id": category["id"]})
    return str(made["id"])


async def life(crowd: Crowd, number: int, tag: str) -> tuple[str, tuple[str, str, str]]:
    """Return the guid of the item, and the title, description and live bundle it ends with."""
    guid = (await crowd.done(number, "POST", "content", {"title": "new", "access_type": "acl"}))["guid"]
    path = f"content/{guid}"
    last = ""
    for version in ("one", "two"):
        page = bundle({"index.html": f"<p>{version} of {number}"}, **PAGE)
        last = (await crowd.done(number, "POST", f"{path}/bundles", page))["id"]
        for turn in range(3):
            await crowd.done(number, "PATCH", path, {"title": f"{version} {turn}"})
        task = (await crowd.done(number, "POST", f"{path}/deploy", {"bundle_id": last}))["task_id"]
        assert (await crowd.finished(number, task))["code"] == 0
    for turn in range(5):
        await crowd.done(number, "PATCH", f"{path}/environment", [{"name": f"N{turn}", "value": "v"}])
    await crowd.done(number, "POST", f"{path}/tags", {"tag_id": tag})
    await crowd.done(number, "PATCH", path, {"description": f"of {number}"})
    if number % 2:
        assert (await crowd.ask(number, "DELETE", f"/__api__/v1/{path}")).status_code == 204
    return guid, ("two 2", f"of {number}", last)


async def test_one_name_goes_to_one(crowd: Crowd) -> None:
    """The clients of one person ask for the same name: one of them gets it, the others are told."""
    new = {"name": "the-one-name"}
    made = await crowd.together(*(crowd.ask(n, "POST", "/__api__/v1/content", new) for n in range(CLIENTS)))
    assert Counter(answer.status_code for answer in made) == {201: PEOPLE, 409: CLIENTS - PEOPLE}
    listed = await crowd.done(0, "GET", "content?name=the-one-name")
    assert len(listed) == 1


async def test_one_item_is_changed_by_all(crowd: Crowd) -> None:
    """All deploy to one item and change it at once: every bundle is kept, each deploy ends, the item is whole."""
    guid = crowd.server.ask("/__api__/v1/content", "POST", {"title": "shared"})["guid"]
    path = f"content/{guid}"
    for number in range(PEOPLE):
        me = (await crowd.done(number, "GET", "user"))["guid"]
        crowd.server.ask(f"/__api__/v1/{path}/permissions", "POST", {"principal_guid": me, "role": "owner"})
    limit = 20

    async def deploy(number: int) -> str:
        page = bundle({"index.html": f"<p>{number}"}, **PAGE)
        sent = (await crowd.done(number, "POST", f"{path}/bundles", page))["id"]
        task = (await crowd.done(number, "POST", f"{path}/deploy", {"bundle_id": sent}))["task_id"]
        done = await crowd.finished(number, task)
        assert done["code"] == 0, done
        await crowd.done(number, "PATCH", f"{path}/environment", [{"name": f"N{number}", "value": "v"}])
        return str(sent)

    sent = await crowd.together(*(deploy(number) for number in range(limit)))
    assert len(set(sent)) == limit
    assert {row["id"] for row in await crowd.done(0, "GET", f"{path}/bundles")} >= set(sent)
    assert len(await crowd.done(0, "GET", f"{path}/environment")) == limit
    item = await crowd.done(0, "GET", path)
    live = sent.index(item["bundle_id"])
    assert (await crowd.ask(0, "GET", f"/content/{guid}/")).text == f"<p>{live}"


async def test_what_is_deleted_under_way_ends_cleanly(crowd: Crowd) -> None:
    """While an item is deployed and visited others delete it: each is told the truth, and nothing of it is left."""
    pages = [bundle({"index.html": "<p>x"}, **PAGE), packed({"app.py": source()})]

    async def race(number: int) -> str:
        guid = (await crowd.done(number, "POST", "content", {}))["guid"]
        path = f"/__api__/v1/content/{guid}"
        sent = (await crowd.ask(number, "POST", f"{path}/bundles", pages[number % 10 == 0])).json()["id"]
        asked = [
            crowd.ask(number, "POST", f"{path}/deploy", {"bundle_id": sent}),
            crowd.ask(number, "DELETE", path),
            crowd.ask(number, "PATCH", path, {"title": "late"}),
            crowd.ask(number, "PATCH", f"{path}/environment", [{"name": "A", "value": "b"}]),
            crowd.ask(number, "POST", f"{path}/bundles", pages[0]),
        ]
        answers = await asyncio.gather(*asked)
        assert answers[1].status_code == 204, answers[1].text
        assert {answer.status_code for answer in answers} <= {200, 201, 202, 204, 404}, answers
        if answers[0].status_code == 202:
            await crowd.finished(number, answers[0].json()["task_id"])
        assert (await crowd.ask(number, "GET", path)).status_code == 404
        return guid

    guids = await crowd.together(*(race(number) for number in range(CLIENTS)))
    data = crowd.server.data_dir
    left = until_empty(lambda: [p for g in guids for k in ("apps", "bundles", "jobs") if (p := data / k / g).exists()])
    assert left == []


def until_empty(look: Any) -> Any:
    """Files are removed after the row: soon, but not at once."""
    deadline = time.monotonic() + 60
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


async def test_every_change_is_in_the_audit_log(crowd: Crowd) -> None:
    async def change(number: int) -> None:
        guid = (await crowd.done(number, "POST", "content", {"title": f"audited {number}"}))["guid"]
        await crowd.done(number, "PATCH", f"content/{guid}", {"title": f"changed {number}"})
        await crowd.done(number, "DELETE", f"content/{guid}")

    first = crowd.server.ask("/__api__/v1/audit_logs?limit=1&ascOrder=false")["results"][0]["id"]
    await crowd.together(*(change(number) for number in range(CLIENTS)))
    entries = crowd.server.ask("/__api__/v1/audit_logs?limit=500&ascOrder=false")["results"]
    fresh = Counter(entry["action"] for entry in entries if int(entry["id"]) > int(first))
    assert [fresh[name] for name in ("create_content", "change_content", "delete_content")] == [CLIENTS] * 3
