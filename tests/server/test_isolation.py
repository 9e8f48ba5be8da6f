"""Content that wants out: published with the real client, it tries everything and reports what worked."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.direct import Direct, new_item
from support.publishing import Publisher, app
from support.server import Server, running_server

pytestmark = [pytest.mark.server, pytest.mark.sandbox, pytest.mark.xdist_group("server")]

HOSTILE = Path(__file__).parent / "bundles" / "hostile" / "app.py"
HIDDEN = ("bundles", "secrets", "jobs", "cache", "bytecode")
CANARY = "a-secret-of-the-server-itself"


@dataclass
class Inside:
    """The hostile application, and somebody else's beside it."""

    server: Server
    path: str
    other: Direct

    def get(self, rest: str = "", **headers: str) -> Any:
        answer = self.server.get(self.path + rest, **headers)
        assert answer.status == 200, answer.text[:3000]
        return json.loads(answer.text)


@pytest.fixture(scope="module")
def inside(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    folder, before = tmp_path_factory.mktemp("s"), dict(os.environ)
    os.environ["ROSTRA_TEST_CANARY"] = CANARY
    os.environ["AWS_SECRET_ACCESS_KEY"] = CANARY
    try:
        with running_server(folder, [Path(python)]) as server:
            other = new_item(server)
            other.deploy("somebody else's")
            assert other.get().status == 200
            project = app(folder / "hostile", HOSTILE.read_text())
            (project / "told.json").write_text(json.dumps(aims(server, other)))
            published = Publisher(server, folder).deploy(project, "flask", ".")
            server.ask(f"/__api__/v1/content/{published.guid}", "PATCH", {"access_type": "all"})
            yield Inside(server, published.path, other)
    finally:
        os.environ.clear()
        os.environ.update(before)


def aims(server: Server, other: Direct) -> dict[str, Any]:
    """Return what there is to get at, so that the application need not search."""
    data, run = server.data_dir, server.data_dir / "run"
    environments = sorted((data / "environments").glob("python/*/*"))
    theirs = [
        *sorted((data / "apps" / other.guid).glob("*/app.py")),
        *sorted((data / "bundles" / other.guid).iterdir()),
    ]
    sockets = [run / "control.sock", run / "decide.sock", run / "keeper.sock", *sorted(run.glob("p/*/s"))]
    assert theirs
    assert sockets[3:]
    assert server.process is not None
    return {
        "canary": CANARY,
        "keeper": server.children()["keeper"],
        "processes": [server.process.pid, *server.children().values()],
        "reads": [
            *map(str, [data / "rostra.db", server.config, server.home / "secret", *theirs]),
            *map(str, sorted((data / "secrets").iterdir())),
            *map(str, sorted((data / "jobs" / other.guid).iterdir())),
            "/root/.bashrc", "/etc/shadow", "/proc/1/root/etc/shadow", "/proc/1/environ",
            f"/proc/{server.process.pid}/environ", f"/proc/{server.process.pid}/root{data}/rostra.db",
        ],
        "data": str(data),
        "lists": [*(str(data / name) for name in HIDDEN), "/home", "/var/lib"],
        "writes": [
            *map(str, [data / "rostra.db", data / "x", run / "x", *environments, *theirs, server.config]),
            "/usr/bin/python3", "/etc/passwd", "/etc/resolv.conf", "/x",
        ],
        "sockets": [*map(str, sockets)],
    }  # fmt: skip


def test_nothing_that_hostile_content_tries_works(inside: Inside) -> None:
    found = inside.get()
    assert len(found) > 40
    worked = {what: outcome["worked"] for what, outcome in found.items() if "worked" in outcome}
    assert worked == {}


def test_other_content_and_the_server_go_on(inside: Inside) -> None:
    inside.get()
    assert inside.other.told()["version"] == "somebody else's"
    assert inside.server.get("/__ping__").status == 200


def test_no_secret_of_the_server_is_in_its_environment(inside: Inside) -> None:
    found = inside.get("environment")
    assert CANARY not in json.dumps(found)
    assert not [
        name for name in found if name.startswith(("ROSTRA_TEST", "AWS_", "PYTEST", "CONNECT_SECRET", "BOOTSTRAP"))
    ]
    assert inside.server.secret not in json.dumps(found)
    assert inside.server.key not in json.dumps(found), "it has a key of its own"
    assert found["CONNECT_API_KEY"]


def test_the_visitors_credentials_and_forged_identities_never_arrive(inside: Inside) -> None:
    forged = {
        "RStudio_Connect_Credentials": '{"user": "forged", "groups": ["admins"]}',
        "Posit_Connect_User_Session_Token": "forged",
        "X_RSC_Authorization": f"Key {inside.server.key}",
        "X_Rostra_Client_Address": "6.6.6.6",
        "X_Forwarded_User": "forged-is-allowed-to-say-this",
        "Cookie": "rsconnect=my-session; RSC-XSRF=my-token; theirs=kept; rsconnect=again",
    }
    found = inside.get("headers", Authorization=f"Key {inside.server.key}", **forged)
    shown = json.dumps(found)
    for secret in (inside.server.key, "my-session", "my-token", "again", "6.6.6.6"):
        assert secret not in shown, secret
    assert found["cookies"] == {"theirs": "kept"}
    credentials = [value for name, value in found["headers"] if "connect-credentials" in name.lower()]
    assert len(credentials) == 1
    assert json.loads(credentials[0])["user"] != "forged"
    assert not [value for name, value in found["headers"] if "session-token" in name.lower() and value == "forged"]
    assert found["user"] != "forged"


def test_a_visitor_nobody_knows_has_no_identity_even_when_they_say_so(inside: Inside) -> None:
    spellings = ("RStudio_Connect_Credentials", "rstudio_connect_credentials", "RSTUDIO_CONNECT_CREDENTIALS")
    for name in spellings:
        found = inside.get("headers", Authorization="", **{name: '{"user": "forged"}'})
        assert "forged" not in json.dumps(found)


def test_authorization_that_is_not_for_rostra_is_left_to_content(inside: Inside) -> None:
    basic = "Basic " + base64.b64encode(b"a:b").decode()
    assert ["Authorization", basic] in inside.get("headers", Authorization=basic)["headers"]


def test_the_folders_on_the_way_show_nothing_of_others(inside: Inside) -> None:
    found = inside.get("listing")
    own = inside.path.split("/")[2]
    assert found["apps"] == [own]
    assert found["run"] == ["p"]
    assert len(found["run/p"]) == 1
    assert set(found["."]) <= {"apps", "run", "environments", "overlays", "bytecode"}
    assert len(found["apps/" + own]) == 1
