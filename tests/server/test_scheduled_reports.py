"""A scheduled notebook from its deploy to the mail it sends, and what happens to it when its Python goes."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import interpreters
from support.accounts import PASSWORD as PASSWORD_OF_PEOPLE
from support.accounts import signed_in
from support.direct import Direct, new_item
from support.mail import PASSWORD, USER, MailServer, mail_server
from support.moments import soon
from support.server import Server, free_port, running_server
from support.watching import until, within

from rostra.rendering.calendar import next_run
from rostra.rendering.calendar_payload import checked

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("reports")]

DOT = base64.b64encode(b"\x89PNG\r\n\x1a\n dot").decode()


def notebook(*cells: str, **metadata: Any) -> str:
    made = [
        {"cell_type": "code", "metadata": {"tags": ["parameters"]} if not number else {}, "source": source,
         "outputs": [], "execution_count": None, "id": f"cell{number}"}
        for number, source in enumerate(cells)
    ]  # fmt: skip
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


REPORT = notebook(
    "region = 'everywhere'",
    "assert region != 'nowhere', 'there are no sales'\n"
    "import sys\nfrom IPython.display import HTML, Image, display\nimport base64, pathlib\n"
    "pathlib.Path('data.csv').write_text('a,b\\n1,2\\n')\n"
    f"display(Image(data=base64.b64decode('{DOT}'), format='png'))\n"
    "display(HTML(f'<p>sales of {region} on {sys.version_info.minor}</p>'))",
    rsc_email_attachments=["data.csv"],
    rsc_email_subject="Sales this week",
)


@dataclass
class World:
    server: Server
    mail: MailServer
    minor: str
    pythons: list[Path]

    def deployed(self, source: str) -> Direct:
        item = new_item(self.server)
        files = {"report.ipynb": source, "requirements.txt": "ipykernel\n"}
        version = next(v for v in interpreters.installed() if v.startswith(f"{self.minor}."))
        python = {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
        item.deploy(files, metadata={"appmode": "jupyter-static", "entrypoint": "report.ipynb"}, python=python)
        item.change(title="Weekly sales")
        return item

    def person(self, name: str, role: str) -> None:
        """Make an account with an address, unless it is there."""
        wanted = {"username": name, "user_role": role, "password": PASSWORD_OF_PEOPLE, "email": f"{name}@example.org"}
        assert self.server.get("/__api__/v1/users", method="POST", body=json.dumps(wanted).encode()).status in (
            201,
            409,
        )

    def schedule(self, item: Direct, **more: Any) -> dict[str, Any]:
        body = {"type": "day", "schedule": {"N": 1}, "start_time": soon(), "timezone": "UTC", "email": True, **more}
        made: dict[str, Any] = self.server.ask(f"{item.api}/schedule", "PUT", body)
        return made

    def renderings(self, item: Direct) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.ask(f"{item.api}/renderings")
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    found = [interpreters.minor(minor) for minor in ("3.10", "3.11")]
    if None in found:
        pytest.skip("no Python 3.10 and 3.11 on this machine")
    pythons = [Path(str(python)) for python in found]
    folder, port = tmp_path_factory.mktemp("s"), free_port()
    extra = (
        "[Server]\nEmailProvider = smtp\nSenderEmail = reports@example.org\n"
        f"[SMTP]\nHost = 127.0.0.1\nPort = {port}\nUser = {USER}\nPassword = {PASSWORD}\nCAFile = {folder}/cert.pem\n"
    )
    with mail_server(folder, port=port) as mail, running_server(folder, pythons, extra) as server:
        me = server.ask("/__api__/v1/user")
        server.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org"})
        yield World(server, mail, "3.10", pythons)


ASKS = notebook(
    "import json, os, urllib.error, urllib.parse, urllib.request",
    "key, api = os.environ['CONNECT_API_KEY'], os.environ['CONNECT_SERVER'] + '__api__/v1/'\n"
    "said = {'Authorization': 'Key ' + key}\n"
    "me = json.load(urllib.request.urlopen(urllib.request.Request(api + 'user', headers=said)))",
    "form = {'grant_type': 'urn:ietf:params:oauth:grant-type:token-exchange',\n"
    "        'subject_token_type': 'urn:posit:connect:content-session-token',\n"
    "        'subject_token': os.environ['CONNECT_CONTENT_SESSION_TOKEN']}\n"
    "body = urllib.parse.urlencode(form).encode()\n"
    "try:\n"
    "    urllib.request.urlopen(urllib.request.Request(api + 'oauth/integrations/credentials', body, said))\n"
    "except urllib.error.HTTPError as why:\n"
    "    refused = json.load(why)['code']\n"
    "print(f'{me[\"username\"]} was refused with {refused}, key({key})')",
)


def test_a_document_has_a_key_and_a_session_token_as_long_as_it_is_made(world: World) -> None:
    item = world.deployed(ASKS)
    page = world.server.get(f"/content/{item.guid}/").text
    owner = world.server.ask("/__api__/v1/user")["username"]
    assert f"{owner} was refused with 212" in page, "the token is good; the item has no integration"
    key = re.search(r"key\(([\w-]+)\)", page[page.index(f"{owner} was refused") :])
    assert key is not None
    assert world.server.get("/__api__/v1/user", Authorization=f"Key {key[1]}").status == 401


def test_a_test_mail_arrives(world: World) -> None:
    task = world.server.ask("/__api__/v1/tasks/send-test-email", "POST", {"to": "bob@example.org"})
    done = world.server.wait_for(task["task_id"])
    assert done["code"] == 0, done
    assert world.mail.taken.pop().recipients == ["bob@example.org"]
    refused = world.server.ask("/__api__/v1/tasks/send-test-email", "POST", {"to": "gone@example.org"})
    done = world.server.wait_for(refused["task_id"])
    assert done["code"] == 1
    assert "no such person" in done["error"]


def test_a_scheduled_report_is_rendered_and_mailed(world: World) -> None:
    item = world.deployed(REPORT)
    (first,) = world.renderings(item)
    world.mail.taken.clear()
    world.schedule(item)
    (taken,) = world.mail.wait_for(1, within=60)
    newest = world.renderings(item)[0]
    assert newest["id"] != first["id"]
    assert taken.tls
    assert taken.recipients == ["ada@example.org"]
    assert taken.message["Subject"] == "Sales this week"
    link = f"{world.server.url}{newest['path']}"
    assert link in taken.part("plain")
    html = taken.part("html")
    assert "sales of everywhere on 10" in html
    assert "<script" not in html
    assert "style=" in html
    assert re.search(r'src="cid:[0-9a-f]+@picture"', html)
    attached = {part.get_filename(): part.get_content() for part in taken.message.iter_attachments()}
    assert attached["data.csv"].split() == ["a,b", "1,2"]
    assert "sales of everywhere" in item.get(f"_rev{first['id']}/").text
    assert "sales of everywhere" in item.get(f"_rev{newest['id']}/").text
    jobs = world.server.ask(f"{item.api}/jobs")
    assert (jobs[0]["key"], jobs[0]["tag"], jobs[0]["exit_code"]) == (newest["job_key"], "build_jupyter", 0)
    assert world.server.ask(f"{item.api}/jobs/{newest['job_key']}/log")["entries"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"email_collaborators": True}, ["ada", "edith"]),
        ({"email_viewers": True}, ["ada", "victor"]),
        ({"email_all": True}, ["ada", "edith", "victor"]),
    ],
)
def test_a_report_is_mailed_to_whom_its_variant_names(
    world: World, flags: dict[str, bool], expected: list[str]
) -> None:
    item = world.deployed(REPORT)
    for name, role, may in (("edith", "publisher", "owner"), ("victor", "viewer", "viewer"), ("nora", "viewer", None)):
        world.person(name, role)
        if may:
            guid = world.server.ask(f"/__api__/v1/users?prefix={name}")["results"][0]["guid"]
            body = {"principal_guid": guid, "principal_type": "user", "role": may}
            world.server.ask(f"{item.api}/permissions", "POST", body)
    variant = world.server.ask(f"{item.api}/variants")[0]
    world.server.ask(f"{item.api}/variants/{variant['key']}", "PATCH", flags)
    world.mail.taken.clear()
    world.schedule(item)
    taken = world.mail.wait_for(len(expected), within=60)
    done = world.server.ask(f"{item.api}/schedule/history")
    assert done, "the run is over"
    assert sorted(one for mail in taken for one in mail.recipients) == [f"{name}@example.org" for name in expected]
    assert all(mail.tls and "sales of everywhere" in mail.part("html") for mail in taken)


def test_a_variant_has_parameters_and_revisions_of_its_own(world: World) -> None:
    item = world.deployed(REPORT)
    variant = world.server.ask(f"{item.api}/variants", "POST", {"name": "West", "parameters": {"region": "the west"}})
    task = world.server.ask(f"{item.api}/render", "POST", {"variant_key": variant["key"]})["task_id"]
    done = world.server.wait_for(task)
    assert done["code"] == 0, done
    assert "sales of everywhere" in item.get().text
    assert "sales of the west" in item.get(f"v{variant['key']}/").text
    assert item.get(f"v{variant['key']}/data.csv").text == "a,b\n1,2\n"
    (made,) = world.server.ask(f"{item.api}/renderings?variant_key={variant['key']}")
    assert item.get(f"_rev{made['id']}/").status == 404, "a private revision is not under the item's own address"
    item.change(access_type="all")
    assert item.get(Authorization="").status == 200
    assert item.get(f"v{variant['key']}/", Authorization="").status == 404


def test_a_viewer_renders_it_with_their_own_values_and_nobody_else_sees_that(world: World) -> None:
    item = world.deployed(REPORT)
    item.change(access_type="logged_in")
    (takes,) = world.server.ask(f"{item.api}/parameters")
    assert (takes["name"], takes["input"], takes["value"]) == ("region", "text", "everywhere")
    with signed_in(world.server, "wim") as browser, signed_in(world.server, "xenia") as other:
        headers = {"X-RSC-XSRF": browser.cookies.get("RSC-XSRF") or ""}
        wanted = {"parameters": {"region": "the south"}}
        told = browser.post(f"/__api__/v1/content/{item.guid}/render", json=wanted, headers=headers)
        assert told.status_code == 202, told.text
        task = f"/__api__/v1/tasks/{told.json()['task_id']}?first=100000&wait=30"
        while not (done := browser.get(task).json())["finished"]:
            pass
        assert (done["code"], done["error"]) == (0, "")
        path = told.json()["path"]
        assert "sales of the south on 10" in browser.get(path).text
        assert browser.get(f"{path}data.csv").text == "a,b\n1,2\n"
        assert other.get(item.path).status_code == 200
        assert [other.get(f"{path}{name}").status_code for name in ("", "data.csv")] == [404, 404]
    assert item.get(path.removeprefix(item.path)).status == 404, "not even its owner sees it"
    assert "sales of everywhere" in item.get().text
    assert len(world.renderings(item)) == 1


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("minute", {"N": 30}),
    ("hour", {"N": 6}),
    ("day", {"N": 2}),
    ("weekday", {}),
    ("week", {"N": 2}),
    ("dayofweek", {"Days": [1, 3, 5]}),
    ("semimonth", {"First": True}),
    ("dayofmonth", {"N": 1, "Day": -1}),
    ("dayweekofmonth", {"N": 3, "Day": 1, "Week": 5}),
    ("year", {"N": 1}),
]


def test_every_kind_of_schedule_is_set_both_ways_and_lasts(world: World) -> None:
    """The older routes and the new form mean the same moments, in a zone with summer time, also after a restart."""
    item = world.deployed(REPORT)
    variant = world.server.ask(f"{item.api}/variants")[0]
    start, zone = "2026-03-28T01:30:00Z", "Europe/Zurich"
    body = {"app_id": 0, "variant_id": variant["id"], "email": False, "activate": True, "type": "day"}
    body |= {"schedule": '{"N": 1}', "start_time": start, "timezone": zone}
    made = world.server.ask("/__api__/schedules", "POST", body)
    expected: dict[str, str] = {}
    for kind, payload in KINDS:
        changed = {**made, "type": kind, "schedule": json.dumps(payload), "start_time": start, "timezone": zone}
        old = world.server.ask(f"/__api__/schedules/{made['id']}", "POST", changed)
        new = world.server.ask(f"{item.api}/schedule", "PUT", {"type": kind, "schedule": payload, "timezone": zone})
        now = dt.datetime.now(dt.UTC)
        wanted = next_run(checked(kind, json.dumps(payload), dt.datetime.fromisoformat(start), zone), now)
        assert wanted is not None
        expected[kind] = f"{wanted:%Y-%m-%dT%H:%M:%SZ}"
        assert old["next_run"] == new["next_run"] == expected[kind], kind
        assert (old["type"], json.loads(old["schedule"])) == (kind, payload)
        assert world.server.ask(f"/__api__/variants/{variant['id']}/schedules")[0]["next_run"] == expected[kind]
    paused = world.server.ask(f"{item.api}/schedule", "PUT", {"paused": True})
    assert paused["next_run"] is None
    world.server.stop()
    world.server.start()
    assert world.server.ask(f"{item.api}/schedule")["paused"]
    going = world.server.ask(f"{item.api}/schedule", "PUT", {"paused": False})
    assert going["next_run"] == expected["year"]
    assert world.server.get(f"{item.api}/schedule", method="DELETE").status == 204
    assert world.server.ask(f"/__api__/variants/{variant['id']}/schedules") == []


LONG = notebook(
    "region = 'everywhere'",
    "import subprocess, sys, time\n"
    "if region == 'slow':\n"
    "    subprocess.Popen(['sleep', '61.25'], start_new_session=True)\n"
    "    print('the cell runs', flush=True)\n    time.sleep(600)",
)


def test_a_job_that_is_killed_leaves_no_process_and_says_so(world: World) -> None:
    item, me = world.deployed(LONG), world.server.ask("/__api__/v1/user")["username"]
    (first,) = world.renderings(item)
    variant = world.server.ask(f"{item.api}/variants")[0]
    world.server.ask(f"{item.api}/variants/{variant['key']}", "PATCH", {"parameters": {"region": "slow"}})
    task = world.server.ask(f"{item.api}/render", "POST", {})["task_id"]
    until(_sleeps, within(60), "the cell does not begin")
    job = world.server.ask(f"{item.api}/jobs")[0]
    assert (job["status"], job["tag"]) == (0, "build_jupyter")
    now = world.server.ask("/__api__/metrics/procs")[job["pid"]]
    assert (now["jobKey"], now["type"], now["ram"] > 0) == (job["key"], "build_jupyter", True)
    followed: list[str] = []
    address = f"{item.api}/jobs/{job['key']}"
    following = threading.Thread(target=lambda: followed.append(world.server.get(f"{address}/tail").text), daemon=True)
    following.start()
    killed = world.server.ask(f"{item.api}/jobs/{job['key']}", "DELETE")
    assert killed["job_key"] == job["key"]
    until(lambda: not _sleeps(), within(20), "its process is left")
    done = world.server.wait_for(task)
    assert (done["code"], done["error"]) == (1, f"It was stopped by {me}.")
    ended = world.server.ask(f"{item.api}/jobs/{job['key']}")
    assert (ended["status"], ended["exit_code"]) == (2, -9)
    entries = world.server.ask(f"{item.api}/jobs/{job['key']}/log")["entries"]
    assert entries[-1]["data"] == f"It was stopped by {me}."
    following.join(within(60))
    said = [entry["data"] for entry in entries]
    assert [json.loads(line)["data"] for line in followed[0].splitlines()] == said, "who follows is told each line once"
    assert world.server.get(f"{address}/download").text.splitlines() == said
    assert world.renderings(item) == [first]
    again = world.server.get(f"{item.api}/jobs/{job['key']}", method="DELETE")
    assert (again.status, json.loads(again.text)["code"]) == (409, 163)


def _sleeps() -> bool:
    return any(each.info["cmdline"] == ["sleep", "61.25"] for each in psutil.process_iter(["cmdline"]))


def test_a_failed_run_keeps_the_last_revision_and_says_why(world: World) -> None:
    item = world.deployed(REPORT)
    before = item.get().text
    variant = world.server.ask(f"{item.api}/variants")[0]
    world.server.ask(f"{item.api}/variants/{variant['key']}", "PATCH", {"parameters": {"region": "nowhere"}})
    world.mail.taken.clear()
    world.schedule(item)
    (taken,) = world.mail.wait_for(1, within=60)
    assert taken.message["Subject"] == "Weekly sales could not be rendered"
    assert "cell 3, line 1" in taken.part("plain")
    assert "there are no sales" in taken.part("html")
    assert "Visitors still see" in taken.part("plain")
    assert item.get().text == before


def person(world: World, name: str, item: Direct, role: str = "viewer") -> str:
    """Make somebody with an address who was let in to the item; return who that is."""
    body = {
        "username": name,
        "email": f"{name}@example.org",
        "password": "correct horse battery",
        "user_role": "publisher",
    }
    guid: str = world.server.ask("/__api__/v1/users", "POST", body)["guid"]
    grant = {"principal_guid": guid, "principal_type": "user", "role": role}
    world.server.ask(f"{item.api}/permissions", "POST", grant)
    return guid


def audience(world: World, item: Direct) -> None:
    """Let two hear of failures; five others must not."""
    item.change(access_type="acl")
    watching, editing, left, locked, tired = (
        person(world, name, item, "owner" if name == "editing" else "viewer")
        for name in ("watching", "editing", "left", "locked", "tired")
    )
    person(world, "helping", item, "owner")
    reading = person(world, "reading", item)
    for guid in (watching, editing, left, locked, tired):
        assert world.server.get(f"{item.api}/failure-subscribers/{guid}", method="PUT").status == 204
    variant = world.server.ask(f"{item.api}/variants")[0]["id"]
    world.server.ask(f"/__api__/variants/{variant}/subscribers", "POST", {"user_guid": reading})
    (grant,) = (each["id"] for each in world.server.ask(f"{item.api}/permissions") if each["principal_guid"] == left)
    assert world.server.get(f"{item.api}/permissions/{grant}", method="DELETE").status == 204
    assert world.server.get(f"/__api__/v1/users/{locked}/lock", method="POST", body=b'{"locked": true}').status == 200
    assert world.server.get(f"{item.api}/failure-subscribers/{tired}", method="DELETE").status == 204


def test_a_report_on_a_python_that_went_mails_that_and_stays_readable(world: World) -> None:
    item = world.deployed(REPORT)
    audience(world, item)
    before = item.get().text
    config = world.server.config.read_text()
    world.server.stop()
    world.server.config.write_text(config.replace(f"Executable = {world.pythons[0]}\n", ""))
    world.server.start()
    try:
        world.mail.taken.clear()
        world.schedule(item)
        world.mail.wait_for(3, within=60)
        task = world.server.ask("/__api__/v1/tasks/send-test-email", "POST", {"to": "last@example.org"})
        assert world.server.wait_for(task["task_id"])["code"] == 0  # whoever else was written to had mail by now
        told = {one.recipients[0]: one for one in world.mail.taken}
        assert sorted(told) == [f"{name}@example.org" for name in ("ada", "editing", "last", "watching")]
        assert len(world.mail.taken) == 4
        for name in ("ada", "editing", "watching"):
            found = told[f"{name}@example.org"]
            assert found.message["Subject"] == "Weekly sales could not be rendered"
            assert "which this server no longer offers" in found.part("plain")
        taken = told["ada@example.org"]
        assert re.search(r"runs on Python 3\.10\.\d+, which this server no longer offers", taken.part("plain"))
        assert "Publish it again" in taken.part("html")
        assert item.get().text == before
        answer = world.server.ask(f"{item.api}/render", "POST", {})
        assert world.server.wait_for(answer["task_id"])["code"] == 1
        assert len(world.renderings(item)) == 1
    finally:
        world.server.stop()
        world.server.config.write_text(config)
        world.server.start()
