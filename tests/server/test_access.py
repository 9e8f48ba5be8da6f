"""Who was let in a moment ago and may not come in any more: what the gateway remembers must not outlive a change."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import pytest
import websockets.sync.client
from support.direct import Direct, new_item
from support.server import Server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("server")]

SECONDS = 0.1


@pytest.fixture(scope="module")
def item(server: Server) -> Direct:
    made = new_item(server)
    made.deploy()
    assert made.get().status == 200
    return made


def own_key(server: Server, name: str) -> tuple[str, str]:
    """Make one more key of the administrator; return its number and the key."""
    me = server.ask("/__api__/v1/user")["guid"]
    made = server.ask(f"/__api__/v1/users/{me}/keys", "POST", {"name": name})
    return f"/__api__/v1/users/{me}/keys/{made['id']}", made["key"]


def gone_after(item: Direct, key: str, change: object) -> float:
    """Use the content with ``key``, make a change, and return after how many seconds the first request is refused."""
    headers = {"Authorization": f"Key {key}" if key else ""}
    for _ in range(3):  # now the gateway remembers
        assert item.get(**headers).status == 200
    change()  # type: ignore[operator]
    begun = time.monotonic()
    until(lambda: item.get(**headers).status in (401, 403, 404), 5, "access goes on")
    return time.monotonic() - begun


@contextlib.contextmanager
def open_socket(item: Direct, key: str = "") -> Iterator[websockets.sync.client.ClientConnection]:
    """A WebSocket of the content that works."""
    url = item.server.url.replace("http", "ws") + item.path + "echo"
    headers = {"Authorization": f"Key {key}"} if key else {}
    with websockets.sync.client.connect(url, additional_headers=headers, proxy=None) as ws:
        ws.send("hello")
        assert ws.recv(within(5)) == "one:hello"
        yield ws


def ends(ws: websockets.sync.client.ClientConnection) -> None:
    with pytest.raises(websockets.exceptions.ConnectionClosed):
        ws.recv(within(3))


def test_websockets_end_with_the_key_they_were_opened_with(server: Server, item: Direct) -> None:
    item.change(access_type="acl")
    (address, key), (_, other) = own_key(server, "of-a-socket"), own_key(server, "of-another")
    with open_socket(item, key) as goes, open_socket(item, other) as stays:
        server.get(address, method="DELETE")
        ends(goes)
        stays.send("still here")
        assert stays.recv(within(5)) == "one:still here"


def test_websockets_end_when_access_is_taken_back(item: Direct) -> None:
    item.change(access_type="all")
    with open_socket(item) as ws:
        item.change(access_type="acl")
        ends(ws)


def test_websockets_end_when_the_item_is_locked(item: Direct) -> None:
    item.change(access_type="all")
    with open_socket(item) as ws:
        item.change(locked=True, locked_message="Back on Monday")
        ends(ws)
    item.change(locked=False)


def test_a_revoked_key_lets_nobody_in(server: Server, item: Direct) -> None:
    item.change(access_type="acl")
    address, key = own_key(server, "to-be-revoked")
    taken = gone_after(item, key, lambda: server.get(address, method="DELETE"))
    assert taken < within(SECONDS)


def test_access_that_is_taken_back_is_gone(server: Server, item: Direct) -> None:
    item.change(access_type="all")
    taken = gone_after(item, "", lambda: item.change(access_type="acl"))
    assert taken < within(SECONDS)


def test_access_that_is_given_is_there(server: Server, item: Direct) -> None:
    item.change(access_type="acl")
    assert item.get(Authorization="").status == 401
    item.change(access_type="all")
    begun = time.monotonic()
    until(lambda: item.get(Authorization="").status == 200, 5, "it is not open")
    assert time.monotonic() - begun < within(SECONDS)


def test_a_locked_item_is_closed_and_opens_again(server: Server, item: Direct) -> None:
    item.change(access_type="all")
    taken = gone_after(item, "", lambda: item.change(locked=True, locked_message="Back on Monday"))
    assert taken < within(SECONDS)
    assert "Back on Monday" in item.get(Authorization="").text
    item.change(locked=False)
    assert item.get(Authorization="").status == 200


def test_the_key_of_a_process_is_not_remembered_beyond_it(server: Server, item: Direct) -> None:
    item.change(access_type="acl")
    job, key = item.told()["job"], item.told()["key"]
    assert item.get(Authorization=f"Key {key}").status == 200
    assert server.get(f"{item.api}/jobs/{job}", method="DELETE").status < 300
    until(lambda: item.get(Authorization=f"Key {key}").status == 401, within(3), "the key of a dead process is good")


def test_a_vanity_path_that_was_taken_away_leads_nowhere(server: Server, item: Direct) -> None:
    item.change(access_type="all")
    server.ask(f"{item.api}/vanity", "PUT", {"path": "/figures/"})
    until(lambda: server.get("/figures/", Authorization="").status == 200, within(20), "the path does not work")
    assert json.loads(server.get("/figures/", Authorization="").text)["version"] == "one"
    assert server.get(f"{item.api}/vanity", method="DELETE").status < 300
    begun = time.monotonic()
    until(lambda: server.get("/figures/", Authorization="").status == 404, 5, "the path still works")
    assert time.monotonic() - begun < within(SECONDS)
    until(lambda: item.get(Authorization="").status == 200, within(20), "the item's own address does not work")


def test_a_broken_credential_is_not_nobody(server: Server, item: Direct) -> None:
    item.change(access_type="all")
    assert item.get(Authorization="").status == 200
    assert item.get(Authorization="Key no-such-key").status == 401
