"""ASGI applications see the request as the visitor made it."""

from __future__ import annotations

from typing import Any

import pytest

from rostra.runner import asgi
from rostra.runner.asgi import DocumentationAtRoot, UnderBasePath

pytestmark = pytest.mark.anyio
PREFIX = "/content/a"


async def nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def seen(path: str, *, stripped: bool = False, kind: str = "http", **headers: str) -> dict[str, Any]:
    """Return the scope an application under the prefix is given."""
    found: dict[str, Any] = {}

    async def application(scope: dict[str, Any], receive: object, send: object) -> None:
        found.update(scope)

    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "path": path, "raw_path": path.encode(), "scheme": "http", "headers": pairs, "client": None}

    async def send(message: dict[str, Any]) -> None: ...

    await UnderBasePath(application, PREFIX, stripped=stripped)(scope, nothing, send)
    return found


async def test_the_path_is_whole_and_the_root_path_is_said() -> None:
    scope = await seen("/content/a/x")
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == (PREFIX, "/content/a/x", b"/content/a/x")


@pytest.mark.parametrize(("path", "left"), [("/content/a/x/y", "/x/y"), ("/content/a/", "/"), ("/content/a", "/")])
async def test_frameworks_that_want_it_get_the_path_without(path: str, left: str) -> None:
    scope = await seen(path, stripped=True)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == (PREFIX, left, left.encode())


async def test_a_path_that_only_begins_alike_is_left_alone() -> None:
    scope = await seen("/content/abc", stripped=True)
    assert (scope.get("root_path"), scope["path"]) == (None, "/content/abc")


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
async def test_scheme_host_and_address_are_the_visitors(kind: str, scheme: str) -> None:
    scope = await seen(
        "/content/a/",
        kind=kind,
        host="inner",
        x_forwarded_proto="https",
        x_forwarded_host="apps.example",
        x_forwarded_for="6.6.6.6, 192.0.2.7",
    )
    assert scope["scheme"] == scheme
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"apps.example"]
    assert scope["client"] == ("192.0.2.7", 0)


async def test_the_lifespan_is_passed_on_untouched() -> None:
    found: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: object, send: object) -> None:
        found.append(scope)

    scope = {"type": "lifespan"}

    async def send(message: dict[str, Any]) -> None: ...

    await UnderBasePath(application, PREFIX, stripped=False)(scope, nothing, send)
    assert found == [scope]


async def sent(status: int, path: str, method: str = "GET") -> list[dict[str, Any]]:
    """Return what a visitor is sent when the application answers with ``status``."""
    messages: list[dict[str, Any]] = []

    async def application(scope: object, receive: object, send: asgi.Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"inner"})

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    documented = DocumentationAtRoot(application, PREFIX, "/docs")
    await documented({"type": "http", "method": method, "path": path}, nothing, send)
    return messages


async def test_a_root_without_a_page_leads_to_the_documentation() -> None:
    start, body = await sent(404, "/content/a/")
    assert start["status"] == 307
    assert (b"location", b"/content/a/docs") in start["headers"]
    assert body["body"] == b""


@pytest.mark.parametrize(
    ("status", "path", "method", "why"),
    [
        (200, "/content/a/", "GET", "the application has a page there"),
        (404, "/content/a/x", "GET", "not the root"),
        (404, "/content/a/", "POST", "a form is not led elsewhere"),
        (403, "/content/a/", "GET", "it is there, but not for this visitor"),
    ],
)
async def test_everything_else_is_the_applications_own_answer(status: int, path: str, method: str, why: str) -> None:
    messages = await sent(status, path, method)
    assert [message.get("status") for message in messages] == [status, None]
    assert messages[1]["body"] == b"inner"


def test_frameworks_that_look_at_the_path_alone_are_known() -> None:
    falcon_app = type("App", (), {"__module__": "falcon.asgi.app"})()
    starlette_app = type("Starlette", (), {"__module__": "starlette.applications"})()
    assert asgi.wants_stripped_path(falcon_app)
    assert not asgi.wants_stripped_path(starlette_app)
