"""Owners are mailed their own part of a rehearsal, by a real server through a real mail server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import interpreters
from support.direct import Direct, new_item, source
from support.mail import PASSWORD, USER, MailServer, mail_server
from support.server import BIN, Server, free_port, running_server

pytestmark = [pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("notify")]
BROKEN = "import imp\n" + source()


@dataclass
class World:
    server: Server
    mail: MailServer
    items: dict[str, Direct]


def person(server: Server, name: str, email: str) -> str:
    body = {"username": name, "email": email, "first_name": name.title(), "password": "correct horse battery"}
    return str(server.ask("/__api__/v1/users", "POST", {**body, "user_role": "publisher"})["guid"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    old, new = interpreters.minor("3.11"), interpreters.minor("3.13")
    if old is None or new is None:
        pytest.skip("no Python 3.11 and 3.13 on this machine")
    folder, port = tmp_path_factory.mktemp("s"), free_port()
    extra = (
        "Retired = 3.11 from 2099-01-31\n[Server]\nEmailProvider = smtp\nSenderEmail = rostra@example.org\n"
        f"[SMTP]\nHost = 127.0.0.1\nPort = {port}\nUser = {USER}\nPassword = {PASSWORD}\nCAFile = {folder}/cert.pem\n"
    )
    with mail_server(folder, port=port) as mail, running_server(folder, [Path(old), Path(new)], extra) as server:
        version = next(each for each in interpreters.installed() if each.startswith("3.11."))
        python = {"version": version, "package_manager": {"name": "pip", "package_file": "requirements.txt"}}
        items = {}
        for name, code in (("broken", BROKEN), ("fine", source()), ("theirs", source()), ("nobodys", BROKEN)):
            items[name] = new_item(server, title=f"The {name} one")
            items[name].deploy({"app.py": code}, python=python)
        me = server.ask("/__api__/v1/user")
        server.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org", "first_name": "Ada"})
        items["theirs"].change(owner_guid=person(server, "bob", "bob@example.org"))
        items["nobodys"].change(owner_guid=person(server, "eve", ""))
        yield World(server, mail, items)


def rostra(*words: str) -> subprocess.CompletedProcess[str]:
    command = [BIN / "rostra", "runtimes", "rehearse", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=dict(os.environ))


def last(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("/__api__/v1/rehearsals")[0]
    return found


def test_each_owner_is_mailed_their_own_part_once(world: World, tmp_path: Path) -> None:
    server = world.server
    named = ("--server", server.url, "--api-key", server.key)
    before = len(world.mail.taken)
    done = rostra("--retire", "3.11", "--onto", "3.13", "--notify", "--pages", str(tmp_path / "pages"), *named)
    assert done.returncode == 0, done.stderr
    assert "Owners who are mailed their own part: 1" in done.stderr
    assert "Without an address, or locked: 1 (eve)" in done.stderr
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == [
        f"{server.ask('/__api__/v1/user')['username']}.html",
        "eve.html",
    ]
    (taken,) = world.mail.wait_for(before + 1)[before:]
    assert taken.recipients == ["ada@example.org"]
    assert taken.message["Subject"] == "Python 3.11 will be retired: 1 item of yours needs you"
    for part in (taken.part("plain"), taken.part("html")):
        assert "From 31 January 2099 Python 3.11 is not used any more" in part
        assert "imports imp, which the standard library does not have any more" in part.replace("\n", " ")
        assert world.items["broken"].guid in part
        assert "The fine one" in part, "what is safe is said, too"
        assert world.items["theirs"].guid not in part
        assert world.items["nobodys"].guid not in part
    again = rostra("--resume", last(server)["id"], "--notify", *named)
    assert "Told of this rehearsal before, and not again: 1" in again.stderr
    assert "Owners who are mailed their own part: 0" in again.stderr


def test_who_has_it_now_is_told(world: World) -> None:
    """An item that changed hands since the rehearsal is its new owner's to look after."""
    server = world.server
    bob = next(each for each in server.ask("/__api__/v1/users")["results"] if each["username"] == "bob")
    server.ask("/__api__/v1/rehearsals", "POST", {"retire": "3.11", "onto": "3.13"})
    server.wait_for(last(server)["task_id"])
    world.items["broken"].change(owner_guid=bob["guid"])
    try:
        before = len(world.mail.taken)
        told = server.ask(f"/__api__/v1/rehearsals/{last(server)['id']}/notify", "POST", {})
        assert told == {"mailed": ["bob"], "before": [], "unreachable": ["eve"]}
        assert world.mail.wait_for(before + 1)[-1].recipients == ["bob@example.org"]
    finally:
        world.items["broken"].change(owner_guid=server.ask("/__api__/v1/user")["guid"])


def test_without_mail_nothing_is_begun(world: World) -> None:
    server = world.server
    server.wait_for(server.ask("/__api__/v1/rehearsals", "POST", {"retire": "3.11", "onto": "3.13"})["task_id"])
    with_mail = server.config.read_text()
    restart(server, with_mail.replace("EmailProvider = smtp", "EmailProvider = none"))
    try:
        refuses(server)
    finally:
        restart(server, with_mail)


def restart(server: Server, config: str) -> None:
    server.stop()
    server.config.write_text(config)
    server.start()


def refuses(server: Server) -> None:
    count = len(server.ask("/__api__/v1/rehearsals"))
    for where in (("--server", server.url, "--api-key", server.key), ("--config", str(server.config))):
        done = rostra("--retire", "3.11", "--notify", *where)
        assert done.returncode == 1
        assert "this server does not send mail" in done.stderr
        assert "EmailProvider" in done.stderr
    assert len(server.ask("/__api__/v1/rehearsals")) == count
    refused = server.get(f"/__api__/v1/rehearsals/{last(server)['id']}/notify", method="POST", body=b"{}")
    assert refused.status == 409
