"""R Markdown reports on a real server with the real R: their values, revisions, files, mails and credentials."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.accounts import signed_in
from support.direct import Direct
from support.mail import PASSWORD, USER, MailServer, mail_server
from support.r_world import lacking, publish, rmd
from support.sdk import NEWEST, Sdk, installed
from support.server import Server, free_port, running_server

WHY = lacking("rmarkdown")
pytestmark = [
    pytest.mark.r,
    pytest.mark.compat,
    pytest.mark.xdist_group("r-reports"),
    pytest.mark.skipif(bool(WHY), reason=WHY or "R is there"),
]


@dataclass
class World:
    server: Server
    mail: MailServer

    def render(self, item: Direct, **body: Any) -> dict[str, Any]:
        """Render and wait; return what was answered, with the task's end."""
        asked = self.server.ask(f"{item.api}/render", "POST", body)
        return {**asked, **self.server.wait_for(asked["task_id"])}

    def soon(self, item: Direct, key: str = "", **more: Any) -> None:
        """Schedule a variant for two seconds from now, and once a day."""
        start = (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)).isoformat(timespec="seconds")
        body = {"type": "day", "schedule": {"N": 1}, "start_time": start, "timezone": "UTC", "email": True, **more}
        self.server.ask(f"{item.api}/schedule?variant_key={key}", "PUT", body)

    def renderings(self, item: Direct, key: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.server.ask(f"{item.api}/renderings?variant_key={key}")
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    python = interpreters.minor("3.11")
    if python is None:
        pytest.skip("no Python 3.11 on this machine")
    folder, port = tmp_path_factory.mktemp("rr"), free_port()
    extra = (
        "[R]\nEnabled = true\n[Server]\nEmailProvider = smtp\nSenderEmail = reports@example.org\n"
        f"[SMTP]\nHost = 127.0.0.1\nPort = {port}\nUser = {USER}\nPassword = {PASSWORD}\nCAFile = {folder}/cert.pem\n"
    )
    with mail_server(folder, port=port) as mail, running_server(folder, [Path(python)], extra) as server:
        me = server.ask("/__api__/v1/user")
        server.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org"})
        yield World(server, mail)


PARAMETERS = """\
params:
  region:
    label: Which region
    value: everywhere
    choices: [everywhere, north, south]
  first.year: 2020
  share:
    value: 0.5
    input: slider
    min: 0
    max: 1
  all: true
  day: !r as.Date("2026-03-01")
"""
SAYS = (
    "Sales of `r params$region` from `r params$first.year + 1`, share `r params$share * 2`, "
    "`r if (isTRUE(params$all)) 'all' else 'some'`, on a `r format(params$day + 1, '%d.%m.%Y')`."
)


def test_a_report_says_which_values_it_takes(world: World) -> None:
    item = publish(world.server, rmd(SAYS, PARAMETERS))
    assert world.server.ask(item.api)["parameterized"] is True
    assert "Sales of everywhere from 2021, share 1, all, on a 02.03.2026." in item.get().text
    found = {one["name"]: one for one in world.server.ask(f"{item.api}/parameters")}
    assert list(found) == ["region", "first.year", "share", "all", "day"]
    assert found["region"]["label"] == "Which region"
    assert [choice["value"] for choice in found["region"]["choices"]] == ["everywhere", "north", "south"]
    assert (found["share"]["input"], found["share"]["minimum"], found["share"]["maximum"]) == ("slider", 0, 1)
    assert (found["day"]["input"], found["day"]["expression"]) == ("date", 'as.Date("2026-03-01")')


def test_variants_have_values_schedules_and_revisions_of_their_own(world: World) -> None:
    item = publish(world.server, rmd(SAYS, PARAMETERS))
    world.server.ask(item.api, "PATCH", {"title": "Sales"})
    values = {"region": "north", "first.year": 1990, "share": 0.25, "all": False, "day": "2026-12-30"}
    north = world.server.ask(
        f"{item.api}/variants", "POST", {"name": "North", "visibility": "public", "parameters": values}
    )
    mine = world.server.ask(f"{item.api}/variants", "POST", {"name": "Mine", "parameters": {"region": "south"}})
    world.mail.taken.clear()
    world.soon(item, north["key"])
    world.soon(item, mine["key"])
    mails = {str(taken.message["Subject"]): taken for taken in world.mail.wait_for(2, within=120)}
    assert set(mails) == {"Sales – North", "Sales – Mine"}
    assert "Sales of north from 1991, share 0.5, some, on a 31.12.2026." in mails["Sales – North"].part("html")
    assert "Sales of south from 2021" in mails["Sales – Mine"].part("html")
    assert "Sales of everywhere" in item.get().text
    assert "Sales of north" in item.get(f"v{north['key']}/").text
    assert "Sales of south" in item.get(f"v{mine['key']}/").text
    assert [len(world.renderings(item, key)) for key in ("", north["key"], mine["key"])] == [1, 1, 1]
    world.server.ask(f"{item.api}/variants/{north['key']}", "PATCH", {"parameters": {"region": "south"}})
    assert world.render(item, variant_key=north["key"])["code"] == 0
    newest, first = world.renderings(item, north["key"])
    assert "Sales of south" in item.get(f"v{north['key']}/").text
    assert "Sales of north" in item.get(f"v{north['key']}/_rev{first['id']}/").text
    with signed_in(world.server, "vera") as browser:
        assert browser.get(f"{item.path}v{north['key']}/").status_code == 200
        assert browser.get(f"{item.path}v{north['key']}/_rev{newest['id']}/").status_code == 200
        assert browser.get(f"{item.path}v{mine['key']}/").status_code == 404


def test_a_viewer_renders_it_with_their_own_values_and_nobody_else_sees_that(world: World) -> None:
    item = publish(world.server, rmd(SAYS + "\n\n```{r}\nmessage('a word for the log')\n```", PARAMETERS))
    with signed_in(world.server, "wim") as browser, signed_in(world.server, "xenia") as other:
        wanted = {"parameters": {"region": "south", "day": "2026-05-01"}}
        headers = {"X-RSC-XSRF": browser.cookies.get("RSC-XSRF") or ""}
        told = browser.post(f"/__api__/v1/content/{item.guid}/render", json=wanted, headers=headers)
        assert told.status_code == 202, told.text
        task = f"/__api__/v1/tasks/{told.json()['task_id']}?first=100000&wait=30"
        while not (done := browser.get(task, timeout=60).json())["finished"]:
            pass
        assert (done["code"], done["error"]) == (0, "")
        said = browser.get(f"/__api__/v1/tasks/{told.json()['task_id']}").json()["output"]
        assert not any("report.Rmd" in line or "word for the log" in line for line in said), said
        page = browser.get(told.json()["path"])
        assert "Sales of south from 2021, share 1, all, on a 02.05.2026." in page.text
        assert other.get(told.json()["path"]).status_code == 404
    assert item.get(told.json()["path"].removeprefix(item.path)).status == 404
    assert "Sales of everywhere" in item.get().text
    assert len(world.renderings(item)) == 1


def test_a_value_the_report_does_not_take_is_refused_before_anything_runs(world: World) -> None:
    item = publish(world.server, rmd(SAYS, PARAMETERS))
    body = json.dumps({"parameters": {"regoin": "south"}}).encode()
    answer = world.server.get(f"{item.api}/render", method="POST", body=body)
    assert answer.status == 400
    assert "has no 'regoin', but region, first.year, share, all, day" in answer.text


def test_the_sdk_renders_it_again_and_with_values(world: World, pytestconfig: pytest.Config, tmp_path: Path) -> None:
    item = publish(world.server, rmd(SAYS, PARAMETERS))
    sdk = Sdk(installed(pytestconfig, NEWEST), world.server, tmp_path)
    told = json.loads(
        sdk.run(f"""
import json
from posit import connect
client = connect.Client()
item = client.content.get("{item.guid}")
item.render().wait_for()
asked = client.post("v1/content/{item.guid}/render", json={{"parameters": {{"region": "north"}}}}).json()
task = client.tasks.get(asked["task_id"])
task.wait_for()
assert task.error_code == 0, task.error_message
print(json.dumps(asked))
""")
    )
    assert len(world.renderings(item)) == 2
    assert "Sales of north" in world.server.get(told["path"]).text
