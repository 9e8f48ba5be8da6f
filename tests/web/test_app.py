import dataclasses
import re
from collections.abc import AsyncIterator
from html import unescape

import httpx2
import pytest
from support.web_services import HOSTILE, OTHERS, SALES, SampleServices, StoppedClock, ago, item, row

from rostra.auth import sessions
from rostra.auth.principals import Role
from rostra.web.site import Site
from rostra.web.views import DocumentView, KeyRow, RunRow

pytestmark = pytest.mark.anyio
BROWSER = {"accept": "text/html", "sec-fetch-site": "same-origin"}
Client = httpx2.AsyncClient


@pytest.fixture
def services() -> SampleServices:
    return SampleServices()


@pytest.fixture
async def client(services: SampleServices) -> AsyncIterator[Client]:
    transport = httpx2.ASGITransport(app=services.app())
    async with Client(transport=transport, base_url="https://rostra.example.org", headers=BROWSER) as made:
        yield made


@pytest.fixture
async def ada(client: Client, services: SampleServices) -> Client:
    """A client that is signed in."""
    await _sign_in(client)
    return client


def _field(html: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, f"no field {name}"
    return unescape(found[1])


async def _sign_in(client: Client, password: str = "correct horse", url: str = "", **more: str) -> httpx2.Response:
    shown = await client.get("/__login__", params={"url": url} if url else None)
    fields = {
        "username": "ada",
        "password": password,
        "xsrf": _field(shown.text, "xsrf"),
        "url": _field(shown.text, "url"),
    }
    return await client.post("/__login__", data={**fields, **more})


async def test_the_form_has_what_automation_looks_for(client: Client) -> None:
    html = (await client.get("/__login__")).text
    assert 'id="username"' in html
    assert 'id="password"' in html
    assert re.search(r'<button type="submit"[^>]*data-automation="login-panel-submit"', html)


async def test_signing_in_sets_the_cookies_and_goes_on(client: Client) -> None:
    answer = await _sign_in(client, url="/content/x/?a=1&b=2")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/content/x/?a=1&b=2"
    cookies = {line.split("=", 1)[0]: line for line in answer.headers.get_list("set-cookie")}
    assert "HttpOnly" in cookies[sessions.COOKIE]
    assert "Secure" in cookies[sessions.COOKIE]
    assert "samesite=lax" in cookies[sessions.COOKIE].lower()
    assert "HttpOnly" not in cookies[sessions.XSRF_COOKIE]


async def test_a_wrong_password_says_so_and_keeps_the_name(client: Client) -> None:
    answer = await _sign_in(client, password="wrong", url="/content/x/")
    assert answer.status_code == 401
    assert "The username or the password is wrong." in answer.text
    assert _field(answer.text, "url") == "/content/x/"
    assert 'value="ada"' in answer.text
    assert sessions.COOKIE not in client.cookies


async def test_a_locked_account_says_so(client: Client) -> None:
    answer = await _sign_in(client, username="mallory")
    assert answer.status_code == 403
    assert "locked" in answer.text


async def test_guessing_gets_slow(client: Client, services: SampleServices) -> None:
    answers = [(await _sign_in(client, password="wrong")).status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]
    refused = await _sign_in(client)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert len(services.tried) == 5
    assert isinstance(services.clock, StoppedClock)


@pytest.mark.parametrize(
    ("headers", "fields", "why"),
    [
        ({}, {"xsrf": ""}, "no token"),
        ({}, {"xsrf": "0" * 43}, "somebody else's token"),
        ({}, {"xsrf": "naïve"}, "not even ASCII"),
        ({"sec-fetch-site": "cross-site"}, {}, "the browser says it came from another site"),
        ({"origin": "https://evil.example"}, {}, "so does the origin"),
    ],
)
async def test_a_forged_sign_in_is_refused(
    client: Client, services: SampleServices, headers: dict[str, str], fields: dict[str, str], why: str
) -> None:
    shown = await client.get("/__login__")
    sent = {"username": "ada", "password": "correct horse", "xsrf": _field(shown.text, "xsrf"), "url": "/", **fields}
    answer = await client.post("/__login__", data=sent, headers=headers)
    assert answer.status_code == 403, why
    assert services.tried == []


async def test_the_sign_in_page_sends_on_who_is_signed_in(ada: Client) -> None:
    assert (await ada.get("/__login__")).headers["location"] == "/connect/"
    assert (await ada.get("/__login__", params={"url": "/content/x/"})).headers["location"] == "/content/x/"
    assert (await ada.get("/__login__", params={"url": "https://evil.example/"})).headers["location"] == "/connect/"


async def test_a_program_is_told_in_json(client: Client) -> None:
    shown = await client.get("/__login__")
    fields = {"username": "ada", "password": "x", "xsrf": _field(shown.text, "xsrf")}
    answer = await client.post("/__login__", data=fields, headers={"accept": "application/json"})
    assert answer.json()["problem"] == "wrong-login"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"x" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"\xff\xfe=1", "application/x-www-form-urlencoded", 400),
        (b"username=%ff%fe&xsrf=x", "application/x-www-form-urlencoded", 400),
        (b"&".join([b"a=1"] * 100), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 400),
    ],
)
async def test_an_odd_form_is_refused(client: Client, body: bytes, kind: str, status: int) -> None:
    answer = await client.post("/__login__", content=body, headers={"content-type": kind})
    assert answer.status_code == status


async def test_a_link_is_not_used_up_by_looking_at_it(client: Client, services: SampleServices) -> None:
    shown = await client.get("/__signin__/good")
    assert services.links == {"good"}
    answer = await client.post("/__signin__/good", data={"xsrf": _field(shown.text, "xsrf")})
    assert answer.headers["location"] == "/connect/"
    assert (await client.get("/connect/")).status_code == 200


async def test_a_link_works_once(client: Client, services: SampleServices) -> None:
    services.links.clear()
    shown = await client.get("/__signin__/good")
    answer = await client.post("/__signin__/good", data={"xsrf": _field(shown.text, "xsrf")})
    assert answer.status_code == 401
    assert "not valid any more" in answer.text


async def test_signing_out_needs_a_click(ada: Client, services: SampleServices) -> None:
    shown = await ada.get("/__logout__")
    assert services.live
    answer = await ada.post("/__logout__", data={"xsrf": _field(shown.text, "xsrf")})
    assert answer.headers["location"] == "/__login__"
    assert not services.live
    assert sessions.COOKIE not in ada.cookies


async def test_another_site_cannot_sign_anybody_out(ada: Client, services: SampleServices) -> None:
    assert (await ada.post("/__logout__", data={"xsrf": "guess"})).status_code == 403
    assert services.live


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/connect/"),
        ("/connect", "/connect/"),
        ("/connect/", "/__login__?url=/connect/"),
        (f"/connect/apps/{SALES}/logs?job=x", f"/__login__?url=/connect/apps/{SALES}/logs%3Fjob%3Dx"),
        ("/__logout__", "/__login__"),
    ],
)
async def test_where_nobody_in_particular_is_sent(client: Client, path: str, target: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, target)


async def test_a_program_without_a_session_gets_401(client: Client) -> None:
    answer = await client.get("/connect/", headers={"accept": "application/json"})
    assert answer.status_code == 401
    assert answer.json()["code"] == 24


@pytest.mark.parametrize(
    "path",
    [
        "/connect/",
        "/connect/runtimes",
        f"/connect/apps/{SALES}",
        f"/connect/apps/{SALES}/logs",
        f"/connect/apps/{SALES}/draft/43",
        f"/connect/apps/{SALES}/draft/42",
        f"/connect/apps/{SALES}/draft/41",
        "/connect/tasks/t1",
        "/__logout__",
    ],
)
async def test_every_page_can_be_shown_with_hostile_words(ada: Client, services: SampleServices, path: str) -> None:
    services.rows = (row(title=HOSTILE, owner=HOSTILE, kind=HOSTILE), row(python=None, deployed_at=None))
    services.page = item(title=HOSTILE)
    answer = await ada.get(path)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"


async def test_an_empty_dashboard_says_what_to_do(ada: Client, services: SampleServices) -> None:
    services.rows = ()
    assert "Nothing here yet" in (await ada.get("/connect/")).text
    services.role = Role.viewer
    assert "Ask an administrator" in (await ada.get("/connect/")).text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/connect/apps/{OTHERS}", 403),
        ("/connect/apps/6b1a9a2e-59a3-4a53-8d5c-0d6a0b8f0009", 404),
        (f"/connect/apps/{SALES}/draft/7", 404),
        (f"/connect/apps/{SALES}/draft/" + "9" * 6000, 404),
        (f"/connect/apps/{SALES}/draft/²", 404),
        (f"/connect/apps/{SALES}/logs?after=-1", 400),
    ],
)
async def test_what_may_not_be_shown_is_explained(ada: Client, path: str, status: int) -> None:
    answer = await ada.get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text


async def test_an_older_version_is_made_live_by_a_click(ada: Client, services: SampleServices) -> None:
    html = (await ada.get(f"/connect/apps/{SALES}")).text
    path, deploy = f"/connect/apps/{SALES}/activate", f"v1/content/{SALES}/deploy"
    assert path in html
    services.answers["POST", deploy] = {"task_id": "t1"}
    assert (await ada.post(path, data={"xsrf": "guess", "bundle": "38"})).status_code == 403
    assert not [asked for asked in services.asked_api if asked[0] != "GET"]
    answer = await ada.post(path, data={"xsrf": _field(html, "xsrf"), "bundle": "38"})
    assert answer.headers["location"] == "/connect/tasks/t1"
    assert [asked for asked in services.asked_api if asked[0] != "GET"] == [("POST", deploy, {"bundle_id": "38"})]


async def test_a_document_shows_its_runs_and_is_rendered_by_a_click(ada: Client, services: SampleServices) -> None:
    runs = (
        RunRow(at=ago(minutes=5), outcome="shown", seconds=2.34, url="/content/x/_rev7/"),
        RunRow(at=ago(days=1), outcome="failed", job="k1", note="cell 3: <boom>"),
        RunRow(at=ago(days=2), outcome="skipped", note="The run before it had not ended yet."),
    )
    document = DocumentView(schedule="every day at 09:00, UTC", next_run=ago(days=-1), mailed=True, runs=runs)
    services.page = dataclasses.replace(services.page, document=document)
    services.answers["POST", f"v1/content/{SALES}/render"] = {"task_id": "t1"}
    html = (await ada.get(f"/connect/apps/{SALES}")).text
    for shown in ("every day at 09:00, UTC", "2.3 s", "/content/x/_rev7/", "cell 3: &lt;boom&gt;", "skipped", "job=k1"):
        assert shown in html
    answer = await ada.post(f"/connect/apps/{SALES}/render", data={"xsrf": _field(html, "xsrf")})
    assert answer.headers["location"] == "/connect/tasks/t1"


async def test_logs_and_tasks_have_a_twin_for_scripts(ada: Client) -> None:
    as_json = {"accept": "application/json"}
    log = (await ada.get(f"/connect/apps/{SALES}/logs", params={"after": "5"}, headers=as_json)).json()
    assert log == {"lines": ["2026-11-21 09:14:51 loading 14 regions"], "next": 6, "running": True}
    task = (await ada.get("/connect/tasks/t1", params={"after": "1"}, headers=as_json)).json()
    assert len(task["lines"]) == 1
    assert task["running"] is True


async def test_the_waiting_pages_script_is_answered(client: Client) -> None:
    answer = await client.get(f"/__status__/{SALES}@43")
    assert answer.json() == {
        "state": "starting",
        "phase": "Installing packages",
        "lines": ["Collecting pandas"],
        "position": None,
    }


@pytest.mark.parametrize("path", ["/__ping__", "/connect/__favicon__", "/favicon.ico"])
async def test_small_things_need_nobody(client: Client, path: str) -> None:
    assert (await client.get(path)).status_code == 200


async def test_files_are_named_by_their_content_and_kept_for_ever(client: Client) -> None:
    html = (await client.get("/__login__")).text
    address = re.search(r'href="(/__assets__/rostra\.[0-9a-f]{12}\.css)"', html)
    assert address
    answer = await client.get(address[1])
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert (await client.get("/__assets__/rostra.000000000000.css")).status_code == 404
    assert (await client.get("/__assets__/..%2Fapp.py")).status_code == 404


async def test_pages_work_below_a_prefix(services: SampleServices) -> None:
    services.site = Site(prefix="/rostra")
    transport = httpx2.ASGITransport(app=services.app())
    async with Client(transport=transport, base_url="https://example.org", headers=BROWSER) as client:
        html = (await client.get("/__login__")).text
    for address in re.findall(r'(?:href|src|action)="([^"]+)"', html):
        assert address.startswith("/rostra/")


async def test_a_new_key_is_shown_once(ada: Client, services: SampleServices) -> None:
    shown = await ada.get("/connect/keys")
    answer = await ada.post(
        "/connect/keys", data={"name": "laptop", "role": "publisher", "xsrf": _field(shown.text, "xsrf")}
    )
    assert "the-secret-of-this-key" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    again = await ada.get("/connect/keys")
    assert "the-secret-of-this-key" not in again.text
    assert "laptop" in again.text


async def test_a_key_cannot_be_made_from_another_site(ada: Client, services: SampleServices) -> None:
    answer = await ada.post("/connect/keys", data={"name": "laptop", "role": "publisher", "xsrf": "guess"})
    assert answer.status_code == 403
    assert not services.made


async def test_a_key_is_revoked_by_a_click(ada: Client, services: SampleServices) -> None:
    services.made.append(KeyRow(id="1", name="old", role="viewer", created_at=ago(days=2)))
    shown = await ada.get("/connect/keys")
    await ada.post("/connect/keys/1/revoke", data={"xsrf": _field(shown.text, "xsrf")})
    assert services.made == []


async def test_nobody_is_offered_a_role_above_their_own(ada: Client) -> None:
    shown = await ada.get("/connect/keys")
    assert "administrator" not in shown.text
