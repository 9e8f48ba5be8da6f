"""``kill -9`` while a mail is on its way to a real mail server: none is lost, and none comes twice that need not.

The one moment that can repeat a mail lies between the mail server's yes and the note that it was given; it then comes
under the same Message-ID, by which mailboxes know it again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import interpreters
from support.aftermath import complaints
from support.direct import new_item
from support.mail import PASSWORD, USER, MailServer, mail_server
from support.server import Server, free_port, running_server
from support.watching import kill, replaced, until, within

pytestmark = [pytest.mark.fault, pytest.mark.server, pytest.mark.interpreters, pytest.mark.xdist_group("fault")]

PAGE = (
    '{"cells": [{"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": null, '
    '"source": "print(6 * 7)"}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
)


@dataclass
class World:
    server: Server
    mail: MailServer
    sender: str  # where a mail is asked for

    def outbox(self) -> list[tuple[bool, int]]:
        """Return (sent, attempts) of every mail that has ended, in order; nothing while one waits."""
        with closing(sqlite3.connect(f"file:{self.server.data_dir / 'rostra.db'}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT ended_at, sent, attempts FROM mails ORDER BY id").fetchall()
        return [] if any(ended is None for ended, _, _ in found) else [(bool(sent), tries) for _, sent, tries in found]


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    python = interpreters.minor("3.11") or interpreters.minor("3.13")
    if python is None:
        pytest.skip("no Python 3.11 or 3.13 on this machine")
    folder, port = tmp_path_factory.mktemp("s"), free_port()
    extra = (
        "[Server]\nEmailProvider = smtp\nSenderEmail = reports@example.org\n"
        f"[SMTP]\nHost = 127.0.0.1\nPort = {port}\nUser = {USER}\nPassword = {PASSWORD}\nCAFile = {folder}/cert.pem\n"
    )
    with mail_server(folder, port=port) as mail, running_server(folder, [Path(python)], extra) as server:
        me = server.ask("/__api__/v1/user")
        server.ask(f"/__api__/v1/users/{me['guid']}", "PUT", {"email": "ada@example.org"})
        item = new_item(server)
        told = {"appmode": "jupyter-static", "entrypoint": "page.ipynb"}
        item.deploy({"page.ipynb": PAGE, "requirements.txt": "ipykernel\n"}, metadata=told)
        variant = server.ask(f"{item.api}/variants")[0]
        yield World(server, mail, f"/__api__/variants/{variant['id']}/sender")


@pytest.mark.parametrize("what", ["server", "control"])
@pytest.mark.parametrize(("moment", "copies"), [("before", 1), ("after", 2)])
def test_a_mail_on_its_way_is_neither_lost_nor_repeated_without_need(
    world: World, what: str, moment: str, copies: int
) -> None:
    world.mail.hold = moment
    world.server.ask(world.sender, "POST", {"email": "me"})
    assert world.mail.held.wait(within(60)), "no mail comes"
    _kill(world.server, what)
    world.mail.go_on.set()
    until(lambda: world.outbox() == [(True, 2)], within(60), f"the outbox: {world.outbox()}")
    assert len(world.mail.taken) == copies
    assert len({taken.message["Message-ID"] for taken in world.mail.taken}) == 1
    assert world.mail.taken[-1].recipients == ["ada@example.org"]
    assert "42" in world.mail.taken[-1].part("html")
    _kill(world.server, what)  # what was sent and noted stays so
    until(lambda: not complaints(world.server), within(20), str(complaints(world.server)))
    assert world.outbox() == [(True, 2)]
    assert len(world.mail.taken) == copies


def test_the_end_of_the_keeper_does_not_touch_a_mail(world: World) -> None:
    world.mail.hold = "after"
    world.server.ask(world.sender, "POST", {"email": "me"})
    assert world.mail.held.wait(within(60)), "no mail comes"
    _kill(world.server, "keeper")
    world.mail.go_on.set()
    until(lambda: world.outbox() == [(True, 1)], within(60), f"the outbox: {world.outbox()}")
    assert len(world.mail.taken) == 1


def _kill(server: Server, what: str) -> None:
    if what == "server":
        server.kill()
        server.start()
        return
    old = server.children()[what]
    kill([old])
    until(replaced(server, what, old), within(30), f"{what} does not come back")
    until(lambda: server.get("/__api__/v1/user").status == 200, within(30), "the server does not answer")
