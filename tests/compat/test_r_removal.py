"""What becomes of R content whose R is taken away: the same four consequences as for a Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from compat.test_r import WHY, published
from support import interpreters
from support.configuring import rostra
from support.mail import PASSWORD, USER, MailServer, mail_server
from support.moments import soon
from support.publishing import Published, Publisher
from support.server import Server, free_port, running_server
from support.watching import processes_of, until

pytestmark = [
    pytest.mark.r,
    pytest.mark.compat,
    pytest.mark.xdist_group("r-removal"),
    pytest.mark.skipif(bool(WHY), reason=WHY or "R is there"),
]
HTML = "text/html,application/xhtml+xml"
MINOR = "3.11"


@dataclass
class World:
    """A server that had R when a report and an API were published to it; ``version`` is the R it had."""

    server: Server
    mail: MailServer
    report: Published
    api: Published
    version: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    python = interpreters.minor(MINOR)
    if python is None:
        pytest.skip(f"no Python {MINOR} on this machine")
    folder, port = tmp_path_factory.mktemp("r"), free_port()
    extra = (
        "[R]\nEnabled = true\n[Server]\nEmailProvider = smtp\nSenderEmail = reports@example.org\n"
        f"[SMTP]\nHost = 127.0.0.1\nPort = {port}\nUser = {USER}\nPassword = {PASSWORD}\nCAFile = {folder}/cert.pem\n"
    )
    with mail_server(folder, port=port) as mail, running_server(folder, [python], extra) as server:
        me = server.ask("/__api__/v1/user")
        server.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org"})
        publisher = Publisher(server, tmp_path_factory.mktemp("work"))
        report, api = published(publisher, "rmarkdown", MINOR), published(publisher, "plumber", MINOR)
        assert server.get(report.path).status == 200
        assert json.loads(server.get(api.path).text)["service"] == "Plumber"
        version = server.ask(f"/__api__/v1/content/{report.guid}")["r_version"]
        _take_away(server)
        yield World(server, mail, report, api, version)


def _take_away(server: Server) -> None:
    text = server.config.read_text()
    assert "[R]\nEnabled = true\n" in text
    server.config.write_text(text.replace("[R]\nEnabled = true\n", "[R]\nEnabled = false\n"))
    rostra(server, "reload")


def test_every_request_to_an_api_is_answered_502(world: World) -> None:
    def told() -> bool:
        return world.server.get(world.api.path).status == 502

    until(told, 20, "the API still answers")
    answer = json.loads(world.server.get(world.api.path).text)
    assert answer["problem"] == "runtime-gone"
    assert answer["r"] == world.version
    assert f"needs R {world.version}" in answer["error"]
    until(lambda: not processes_of(world.server, world.api.guid), 20, "its process did not end")


def test_a_person_reads_which_r_what_to_do_and_whom_to_ask(world: World) -> None:
    until(lambda: world.server.get(world.api.path).status == 502, 20, "the API still answers")
    answer = world.server.get(world.api.path, Accept=HTML)
    assert answer.status == 502
    for words in (f"R {world.version}", "publish it again", "ada@example.org"):
        assert words in answer.text


def test_a_document_stays_readable_and_says_that_it_cannot_be_refreshed(world: World) -> None:
    answer = world.server.get(world.report.path, Accept=HTML)
    assert answer.status == 200
    assert "with pandas" in answer.text
    assert f"made with R {world.version}" in answer.headers["rostra-notice"]


def test_it_cannot_be_rendered_again(world: World) -> None:
    before = world.server.get(world.report.path).body
    task = world.server.ask(f"/__api__/v1/content/{world.report.guid}/render", "POST", {})["task_id"]
    done = world.server.wait_for(task)
    assert done["code"] == 1
    assert f"runs on R {world.version}, which this server no longer offers" in done["error"]
    assert world.server.get(world.report.path).body == before


def test_a_scheduled_run_mails_an_error(world: World) -> None:
    world.mail.taken.clear()
    body = {"type": "day", "schedule": {"N": 1}, "start_time": soon(), "timezone": "UTC", "email": True}
    world.server.ask(f"/__api__/v1/content/{world.report.guid}/schedule", "PUT", body)
    (taken,) = world.mail.wait_for(1, within=60)
    assert taken.recipients == ["ada@example.org"]
    assert f"R {world.version}" in taken.part("plain")


def test_publishing_it_again_is_refused_at_once(world: World, tmp_path: Path) -> None:
    publisher = Publisher(world.server, tmp_path)
    done = publisher.deploy(publisher.copy("plumber"), "manifest", "manifest.json", check=False)
    assert done.code != 0
    assert "Plumber API content needs R, which this server does not have" in done.output


def test_the_dashboard_says_so(world: World) -> None:
    page = world.server.get(f"/connect/apps/{world.report.guid}", Accept=HTML).text
    assert "runtime missing" in page
    assert f"made with R {world.version}" in page
    assert "runtime missing" in world.server.get(f"/connect/apps/{world.api.guid}", Accept=HTML).text
