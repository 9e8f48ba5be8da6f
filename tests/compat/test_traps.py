"""What publishing clients trip over, each asked of a live server, byte for byte where bytes are the point.

Tests are numbered by trap, so that one that is missing is missed.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import re
import socket
import tarfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pytest
from compat.conftest import Publisher, app
from support.publishing import Published
from support.server import Server

pytestmark = [pytest.mark.compat, pytest.mark.xdist_group("compat")]

API = "/__api__/v1"
PLAIN = "def app(environ, start):\n    start('200 OK', [('Content-Type', 'text/plain')])\n    return [b'plain %s']\n"
BROKEN = "raise RuntimeError('not today')\n"
ANSWERS_HEADERS = """
import json
def app(environ, start):
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: str(value) for name, value in environ.items() if name.isupper()}).encode()]
"""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    fields: Message
    body: bytes

    @property
    def json(self) -> Any:
        assert self.fields["Content-Type"].startswith("application/json"), self.fields["Content-Type"]
        return json.loads(self.body)


def ask(server: Server, method: str, path: str, body: Any = None, fields: dict[str, str] | None = None) -> Answer:
    """Send exactly this: no Accept, no cookies, nothing followed. An iterator as body is sent in chunks."""
    sent = {"Authorization": f"Key {server.key}"} | (fields or {})
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)) as connection:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in sent.items():
            if value:
                connection.putheader(name, value)
        chunked = isinstance(body, Iterator)
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        elif body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body, encode_chunked=chunked)
        with connection.getresponse() as answer:
            return Answer(answer.status, answer.headers, answer.read())


def said(server: Server, method: str, path: str, body: object) -> Answer:
    return ask(server, method, path, json.dumps(body).encode(), {"Content-Type": "application/json; charset=utf-8"})


def bundle(
    source: str = PLAIN % "one", *, lead: str = "", last: bool = False, links: dict[str, str] | None = None
) -> bytes:
    """Return a bundle as clients make them: members in memory, no folders, times at zero."""
    requirements = b""
    manifest = {
        "version": 1,
        "metadata": {"appmode": "python-api", "entrypoint": "app"},
        "python": {
            "version": "3.11.0",
            "package_manager": {"name": "pip", "version": "24.0", "package_file": "requirements.txt"},
        },
        "files": {"app.py": {"checksum": hashlib.md5(source.encode()).hexdigest()}},
    }
    members = [("manifest.json", json.dumps(manifest).encode())]
    members += [("requirements.txt", requirements), ("app.py", source.encode()), ("deep/down/data.txt", b"data")]
    held = io.BytesIO()
    with gzip.GzipFile(fileobj=held, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data in reversed(members) if last else members:
            member = tarfile.TarInfo(lead + name)
            member.size, member.mtime = len(data), 0
            archive.addfile(member, io.BytesIO(data))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(lead + name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return held.getvalue()


def pieces(data: bytes, size: int = 700) -> Iterator[bytes]:
    return iter([data[at : at + size] for at in range(0, len(data), size)])


def new_item(server: Server) -> str:
    made = said(server, "POST", f"{API}/content", {"name": f"trap-{uuid.uuid4().hex[:12]}"}).json
    return str(made["guid"])


def uploaded(server: Server, guid: str, data: bytes | None = None) -> str:
    answer = ask(server, "POST", f"{API}/content/{guid}/bundles", pieces(bundle() if data is None else data))
    assert 200 <= answer.status < 300, answer.body
    return str(answer.json["id"])


def deployed(server: Server, guid: str, **order: object) -> dict[str, Any]:
    task = said(server, "POST", f"{API}/content/{guid}/deploy", order).json["task_id"]
    return server.wait_for(task)


@pytest.fixture(scope="module")
def live(server: Server) -> str:
    """The guid of an item that runs."""
    guid = new_item(server)
    assert deployed(server, guid, bundle_id=uploaded(server, guid))["code"] == 0
    return guid


def test_1_a_bundle_comes_in_chunks_without_a_type_or_a_length(server: Server) -> None:
    assert int(uploaded(server, new_item(server))) > 0


def test_2_a_bundle_comes_as_a_form_with_what_is_said_of_it(server: Server) -> None:
    guid, mark = new_item(server), uuid.uuid4().hex
    metadata = {"source": "git", "source_branch": "main", "anything": "else"}
    form = (
        f'--{mark}\r\nContent-Disposition: form-data; name="archive"; filename="bundle.tar.gz"\r\n'
        "Content-Type: application/x-tar\r\n\r\n"
    ).encode() + bundle()
    form += f'\r\n--{mark}\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n'.encode()
    form += json.dumps(metadata).encode() + f"\r\n--{mark}--\r\n".encode()
    fields = {"Content-Type": f"multipart/form-data; boundary={mark}"}
    made = ask(server, "POST", f"{API}/content/{guid}/bundles", form, fields).json
    assert made["metadata"].items() >= metadata.items()
    assert deployed(server, guid, bundle_id=made["id"])["code"] == 0


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/v1/content/", "/v1/user/", "/server_settings/", "/v1//content", "/nothing/here"])
def test_3_nothing_redirects_below_the_api(server: Server, method: str, path: str) -> None:
    answer = ask(server, method, "/__api__" + path, b"{}" if method != "GET" else None)
    assert answer.status in (404, 405)
    assert "Location" not in answer.fields


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        ("GET", f"{API}/content/00000000-0000-4000-8000-000000000000", None, 404, "no such item"),
        ("GET", f"{API}/tasks/none", None, 404, "no such task"),
        ("PUT", f"{API}/user", b"{}", 405, "a method that is not served"),
        ("POST", f"{API}/content", b"not json", 400, "a body that is not JSON"),
        ("POST", f"{API}/content", b'{"name": 7}', 400, "a value of another type"),
        ("POST", f"{API}/content", b'{"name": "' + b"x" * 5_000_000 + b'"}', 413, "a body without end"),
        ("GET", f"{API}/tasks/none?wait=soon", None, 400, "a parameter that is no number"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_4_every_error_is_json(
    server: Server, method: str, path: str, body: bytes | None, status: int, why: str
) -> None:
    answer = ask(server, method, path, body)
    assert answer.status == status, why
    assert set(answer.json) == {"code", "error", "payload"}
    assert isinstance(answer.json["code"], int)
    assert answer.json["error"]


def test_5_setting_variables_answers_with_json(server: Server, live: str) -> None:
    answer = said(server, "PATCH", f"{API}/content/{live}/environment", [{"name": "A", "value": "1"}])
    assert answer.status == 200
    assert answer.json == ["A"]
    assert said(server, "PATCH", f"{API}/content/{live}/environment", [{"name": "B", "value": "2"}]).json == ["A", "B"]


def test_6_asking_for_a_task_waits_for_news(server: Server) -> None:
    guid = new_item(server)
    number = uploaded(server, guid, bundle("import time\ntime.sleep(5)\n" + PLAIN % "slow"))
    task = said(server, "POST", f"{API}/content/{guid}/deploy", {"bundle_id": number}).json["task_id"]
    view = ask(server, "GET", f"{API}/tasks/{task}?wait=1").json
    asked, begun = 1, time.monotonic()
    while not view["finished"]:
        view = ask(server, "GET", f"{API}/tasks/{task}?first={view['last']}&wait=1").json
        asked += 1
    assert view["code"] == 0
    assert asked < 8 + (time.monotonic() - begun) * 4, "the client itself does not pause"
    whole = ask(server, "GET", f"{API}/tasks/{task}?first=0").json
    assert set(whole) == {"id", "output", "result", "finished", "code", "error", "last"}
    assert (whole["last"], whole["error"], whole["id"]) == (len(whole["output"]), "", task)
    assert re.fullmatch(r"[\w-]+", task), "it becomes the name of a file"


@pytest.mark.parametrize("given", ["text", "number", "none", "nothing"])
def test_7_a_deploy_names_its_bundle_in_any_way(server: Server, live: str, given: str) -> None:
    number = ask(server, "GET", f"{API}/content/{live}").json["bundle_id"]
    order = {
        "text": {"bundle_id": number},
        "number": {"bundle_id": int(number)},
        "none": {"bundle_id": None},
        "nothing": {},
    }
    assert deployed(server, live, **order[given])["code"] == 0
    assert ask(server, "GET", f"{API}/content/{live}").json["bundle_id"] == number


def test_7_a_draft_is_never_activated(server: Server) -> None:
    guid = new_item(server)
    deployed(server, guid, bundle_id=uploaded(server, guid), activate=False)
    assert ask(server, "GET", f"{API}/content/{guid}").json["bundle_id"] is None


def test_8_what_was_built_is_activated_at_once(server: Server) -> None:
    guid = new_item(server)
    number = uploaded(server, guid)
    deployed(server, guid, bundle_id=number, activate=False)
    begun = time.monotonic()
    view = deployed(server, guid, bundle_id=number)
    assert view["code"] == 0
    assert not any("Building environment" in line for line in view["output"])
    assert time.monotonic() - begun < 20
    assert ask(server, "GET", f"{API}/content/{guid}").json["bundle_id"] == number


def test_9_and_10_a_draft_is_started_beside_what_is_live(server: Server, live: str) -> None:
    number = uploaded(server, live, bundle(PLAIN % "two"))
    deployed(server, live, bundle_id=number, activate=False)
    assert ask(server, "GET", f"/content/{live}/_bundle{number}/").body == b"plain two"
    assert ask(server, "GET", f"/content/{live}/").body == b"plain one"


def test_9_a_draft_that_does_not_start_is_a_server_error(server: Server, live: str) -> None:
    number = uploaded(server, live, bundle(BROKEN))
    deployed(server, live, bundle_id=number, activate=False)
    answer = ask(server, "GET", f"/content/{live}/_bundle{number}/")
    assert answer.status >= 500
    answer.body.decode()  # what clients do with it
    assert ask(server, "GET", f"/content/{live}/").body == b"plain one"


def test_11_a_key_needs_no_token_against_forgery_whatever_cookies_come_along(server: Server, live: str) -> None:
    strange = {"Cookie": "rsconnect=abc; RSC-XSRF=def; sticky=x", "Content-Type": "application/json"}
    for method, body in (("PATCH", b'{"title": "With cookies"}'), ("GET", None)):
        assert ask(server, method, f"{API}/content/{live}", body, strange).status == 200
    made = ask(server, "POST", f"{API}/content", json.dumps({"name": uuid.uuid4().hex}).encode(), strange).json
    assert ask(server, "DELETE", f"{API}/content/{made['guid']}", None, strange).status == 204


@pytest.mark.parametrize("wanted", ["", "identity", "gzip"])
def test_12_nothing_is_packed_unless_asked_for(server: Server, live: str, wanted: str) -> None:
    for path in (f"{API}/content", "/__api__/server_settings", f"/content/{live}/"):
        answer = ask(server, "GET", path, None, {"Accept-Encoding": wanted})
        packed = answer.fields.get("Content-Encoding")
        assert packed is None or (packed == "gzip" and wanted == "gzip")


def test_13_who_may_read_the_settings(server: Server) -> None:
    for shown in ("", "Key " + "k" * 32):
        assert ask(server, "GET", "/__api__/server_settings", None, {"Authorization": shown}).status == 200
    refused = ask(server, "GET", f"{API}/user", None, {"Authorization": "Key " + "k" * 32})
    assert (refused.status, refused.json["code"]) == (401, 30)
    assert ask(server, "GET", f"{API}/user", None, {"Authorization": ""}).status == 401


def test_14_names_are_found_exactly(server: Server) -> None:
    name = f"exact-{uuid.uuid4().hex[:8]}"
    assert ask(server, "GET", f"{API}/content?name={name}").json == []
    said(server, "POST", f"{API}/content", {"name": name})
    assert [row["name"] for row in ask(server, "GET", f"{API}/content?name={name}").json] == [name]
    assert ask(server, "GET", f"{API}/content?name={name[:-1]}").json == []


def test_15_identifiers_and_times_have_their_forms(server: Server, live: str) -> None:
    fresh = ask(server, "GET", f"{API}/content/{new_item(server)}").json
    shown = ask(server, "GET", f"{API}/content/{live}").json
    assert fresh["bundle_id"] is None
    assert uuid.UUID(shown["guid"])
    assert "-" in shown["guid"]
    for number in (shown["id"], shown["bundle_id"], fresh["id"]):
        assert isinstance(number, str)
        assert number.isdecimal()
    for moment in (shown["created_time"], shown["last_deployed_time"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", moment)
    assert shown["content_url"] == f"{server.url}/content/{live}/"
    assert shown["dashboard_url"].endswith(f"/connect/#/apps/{live}")


def test_16_the_version_is_one_that_clients_know(server: Server) -> None:
    version = ask(server, "GET", "/__api__/server_settings").json["version"]
    parts = [int(part) for part in re.fullmatch(r"(\d{4})\.(\d\d)\.(\d+)", version).groups()]  # type: ignore[union-attr]
    assert parts >= [2025, 12, 0]


def test_17_a_delete_has_a_body(server: Server, live: str) -> None:
    version = ask(server, "GET", f"{API}/content/{live}").json["py_version"]
    body = {"language": "Python", "version": version, "image_name": "Local", "dry_run": True}
    answer = said(server, "DELETE", f"{API}/system/caches/runtime", body).json
    assert (answer["dry_run"], answer["task_id"]) == (True, None)
    assert said(server, "DELETE", f"{API}/system/caches/runtime", body | {"version": "2.7.1"}).status == 404


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"last": True}, "the manifest may be the last member"),
        ({"lead": "only/"}, "a folder that holds everything"),
        ({"lead": "./"}, "names that begin with a dot"),
        ({"links": {"linked.txt": "deep/down/data.txt"}}, "links within the bundle"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_19_bundles_are_unpacked_as_clients_pack_them(server: Server, made: dict[str, Any], why: str) -> None:
    guid = new_item(server)
    source = "assert open('deep/down/data.txt').read() == 'data'\n" + PLAIN % "unpacked"
    view = deployed(server, guid, bundle_id=uploaded(server, guid, bundle(source, **made)))
    assert view["code"] == 0, (why, view)
    assert ask(server, "GET", f"/content/{guid}/").body == b"plain unpacked"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside"])
def test_19_links_out_of_a_bundle_are_refused(server: Server, target: str) -> None:
    guid = new_item(server)
    answer = ask(server, "POST", f"{API}/content/{guid}/bundles", pieces(bundle(links={"out": target})))
    assert 400 <= answer.status < 500
    assert answer.json["error"]


def test_20_a_lock_file_names_its_python_or_none(server: Server, publisher: Publisher) -> None:
    guid = publisher.sample("flask", "3.11").guid
    answer = ask(server, "GET", f"{API}/content/{guid}/lockfile")
    assert answer.status == 200
    assert not answer.fields["Content-Type"].startswith("application/json")
    assert re.search(r"python=3\.11\.\d+", answer.fields["Generated-By"])


def test_21_there_is_no_sign_in_by_oauth(server: Server) -> None:
    assert ask(server, "GET", "/.well-known/oauth-authorization-server").status == 404


@pytest.mark.parametrize(
    ("path", "shown", "status"),
    [
        ("/content/00000000-0000-4000-8000-000000000000/bundles", None, 404),
        ("/content/{live}/bundles", "Key wrong", 401),
    ],
)
def test_22_a_big_upload_is_heard_out_before_it_is_refused(
    server: Server, live: str, path: str, shown: str | None, status: int
) -> None:
    """The client writes all of it before it reads anything."""
    size = 20_000_000
    head = (
        f"POST {API}{path.format(live=live)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: {shown or 'Key ' + server.key}\r\nContent-Length: {size}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head.encode())
        connection.sendall(b"x" * size)
        answer = b""
        while b"\r\n\r\n" not in answer and (more := connection.recv(65536)):
            answer += more
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def test_23_the_dashboard_has_pages_for_what_clients_print(server: Server, live: str) -> None:
    """What follows the # stays in the browser, whose script goes on to these."""
    number = ask(server, "GET", f"{API}/content/{live}").json["bundle_id"]
    for below in ("", f"apps/{live}", f"apps/{live}/logs", f"apps/{live}/draft/{number}"):
        answer = ask(server, "GET", f"/connect/{below}", None, {"Accept": "text/html"})
        assert answer.status in (200, 302, 303, 307), below


def test_24_old_addresses_answer(server: Server, live: str) -> None:
    shown = ask(server, "GET", f"{API}/content/{live}").json
    old = ask(server, "GET", f"/__api__/applications/{shown['id']}").json
    assert (old["guid"], old["id"], old["app_mode"]) == (live, int(shown["id"]), 8)
    assert ask(server, "GET", "/__api__/me").json["user_role"] == "administrator"


def test_content_never_sees_the_key_and_hears_who_asks(publisher: Publisher, server: Server) -> None:
    folder = app(publisher.folder / "a", ANSWERS_HEADERS, "")
    published: Published = publisher.deploy(folder, "api", ".")
    forged = {"X-RSC-Authorization": "x", "RStudio-Connect-Credentials": "forged", "Cookie": "rsconnect=s; own=1"}
    heard = ask(server, "GET", published.path, None, forged).json
    assert server.key not in json.dumps(heard)
    assert heard["HTTP_COOKIE"] == "own=1"
    assert json.loads(heard["HTTP_RSTUDIO_CONNECT_CREDENTIALS"])["user"] == "__bootstrap_admin__"


def test_verification_is_held_until_the_content_is_ready(publisher: Publisher, server: Server) -> None:
    """No Accept header: the answer is the content's, never a page that asks for patience."""
    source = "import time\ntime.sleep(3)\n" + PLAIN % "at last"
    published = publisher.deploy(app(publisher.folder / "a", source, ""), "api", "--no-verify", ".")
    change = [{"name": "RESTART", "value": uuid.uuid4().hex}]
    assert said(server, "PATCH", f"{API}/content/{published.guid}/environment", change).status == 200
    answer = ask(server, "GET", published.path)
    assert (answer.status, answer.body) == (200, b"plain at last")
