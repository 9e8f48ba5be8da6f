"""The whole server with its records on PostgreSQL: published with the real client, killed, and its database away."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from support.database import empty_database
from support.direct import new_item
from support.publishing import app
from support.server import Server, running_server
from support.watching import until, within

pytestmark = [pytest.mark.server, pytest.mark.postgres, pytest.mark.compat, pytest.mark.xdist_group("server")]
GREETS = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"hello from the client"})
"""


@pytest.fixture(scope="module")
def name_of() -> dict[str, str]:
    return {}


@pytest.fixture(scope="module")
def server(
    python: str, postgres_socket: Path, tmp_path_factory: pytest.TempPathFactory, name_of: dict[str, str]
) -> Iterator[Server]:
    with empty_database(postgres_socket) as extra:
        found = re.search(r"postgres@/(\w+)\?", extra)
        assert found
        name_of["database"] = found[1]
        with running_server(tmp_path_factory.mktemp("pg"), [Path(python)], extra) as started:
            yield started


@contextlib.contextmanager
def away(socket: Path, name: str) -> Iterator[None]:
    """Let nobody connect to the database, and end who is."""
    with psycopg.connect(f"host={socket} user=postgres dbname=postgres", autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        try:
            yield
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")  # type: ignore[arg-type]


def test_what_the_client_published_outlives_a_kill(server: Server, tmp_path: Path) -> None:
    assert not (server.data_dir / "rostra.db").exists(), "the records are on PostgreSQL"
    work = app(tmp_path / "a", GREETS)
    server.client("deploy", "fastapi", "-n", "rostra", "--entrypoint", "app:app", "--title", "Greets", work)
    (item,) = [one for one in server.ask("/__api__/v1/content") if one["title"] == "Greets"]
    path = f"/content/{item['guid']}/"
    assert server.get(path).text == "hello from the client"
    server.kill()
    server.start(within=within(60))
    assert server.get(path).text == "hello from the client"
    after = server.ask(f"/__api__/v1/content/{item['guid']}")
    assert (after["bundle_id"], after["title"]) == (item["bundle_id"], "Greets")
    server.client("deploy", "fastapi", "-n", "rostra", "--entrypoint", "app:app", work)
    assert len([one for one in server.ask("/__api__/v1/content") if one["title"] == "Greets"]) == 1


def test_a_database_that_goes_away_is_said_and_forgiven(
    server: Server, postgres_socket: Path, name_of: dict[str, str]
) -> None:
    item = new_item(server)
    item.deploy()
    assert item.get().status == 200
    with away(postgres_socket, name_of["database"]):
        asked = server.get("/__api__/v1/content")
        assert asked.status == 503, asked.text
        assert "records" in json.loads(asked.text)["error"]
        assert server.get("/__ping__").status == 200
        assert item.get().status == 200, "what runs keeps answering"
    until(lambda: server.get("/__api__/v1/content").status == 200, within(30), "the server finds its records again")
    item.change(title="Changed after all")
    item.deploy("two")
    assert item.told()["version"] == "two"
