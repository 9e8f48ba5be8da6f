"""The outbox: nothing is lost, nothing is told twice, and what a crash interrupts is sent again."""

import asyncio
import contextlib
import datetime as dt
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine
from support.moments import MovedClock

from rostra.config.sections import Server, Settings
from rostra.db.engine import reading_factory, session_factory, transaction
from rostra.mail import outbox
from rostra.mail.message import Letter
from rostra.mail.postman import Postman
from rostra.mail.tables import Mail
from rostra.mail.transport import Filing, NotTaken

pytestmark = pytest.mark.anyio

SENDER = "reports@example.org"
LETTER = Letter(subject="s", text="t", html="<p>h</p>")


class Played:
    """A transport that does what it is told, in order, and then takes everything."""

    def __init__(self, *says: BaseException | None) -> None:
        self.says, self.took = list(says), list[EmailMessage]()

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        why = self.says.pop(0) if self.says else None
        if why is not None:
            raise why
        self.took.append(message)


class Office:
    def __init__(self, engine: AsyncEngine, folder: Path, transport: object) -> None:
        self.clock, self.transport = MovedClock(), transport
        self.sessions = session_factory(engine)
        self.settings = Settings(server=Server(data_dir=folder, sender_email=SENDER, email_provider="print"))
        self.reading = reading_factory(engine)
        self.postman = self.hire()

    def hire(self) -> Postman:
        return Postman(
            self.sessions, self.reading, lambda: self.settings, self.clock, transport=lambda _: self.transport  # type: ignore[arg-type, return-value]
        )  # fmt: skip

    async def post(self, key: str, letter: Letter = LETTER, to: str = "ada@example.org") -> bool:
        async with transaction(self.sessions) as session:
            return await outbox.post(session, key, to, letter, sender=SENDER, now=self.clock.now())

    async def deliver(self) -> bool:
        claimed = await self.postman.claim()
        if claimed is not None:
            await self.postman.deliver(claimed)
        return claimed is not None

    async def rows(self) -> list[Mail]:
        async with transaction(self.sessions) as session:
            return list((await session.execute(sa.select(Mail).order_by(Mail.id))).scalars())


async def test_the_same_thing_is_told_once(engine: AsyncEngine, tmp_path: Path) -> None:
    office = Office(engine, tmp_path, Played())
    assert await office.post("job/report/1")
    assert not await office.post("job/report/1")
    assert await office.deliver()
    assert not await office.deliver()
    (row,) = await office.rows()
    assert (row.sent, row.ended_at) == (True, office.clock.now())


async def test_a_mail_goes_with_its_transaction(engine: AsyncEngine, tmp_path: Path) -> None:
    office = Office(engine, tmp_path, Played())
    with contextlib.suppress(ZeroDivisionError):
        async with transaction(office.sessions) as session:
            await outbox.post(session, "k", "a@b.org", LETTER, sender=SENDER, now=office.clock.now())
            raise ZeroDivisionError
    assert await office.rows() == []


async def test_a_mail_that_is_not_taken_waits_longer_each_time(engine: AsyncEngine, tmp_path: Path) -> None:
    transport = Played(NotTaken("away"), NotTaken("away"))
    office = Office(engine, tmp_path, transport)
    await office.post("k")
    for minutes in (1, 2):
        assert await office.deliver()
        assert not await office.deliver()
        office.clock.move(minutes=minutes)
    assert await office.deliver()
    assert len(transport.took) == 1


async def test_after_the_last_attempt_it_is_given_up(engine: AsyncEngine, tmp_path: Path) -> None:
    office = Office(engine, tmp_path, Played(*[NotTaken("away")] * 20))
    await office.post("k")
    attempts = 0
    while await office.deliver():
        attempts += 1
        office.clock.move(hours=20)
    (row,) = await office.rows()
    assert (attempts, row.sent, row.error) == (len(outbox.PAUSES) + 1, False, "the mail was not taken: away")


async def test_what_is_refused_for_ever_is_not_tried_again(engine: AsyncEngine, tmp_path: Path) -> None:
    office = Office(engine, tmp_path, Played(NotTaken("nobody", for_ever=True)))
    await office.post("k")
    assert await office.deliver()
    office.clock.move(days=1)
    assert not await office.deliver()


async def test_two_postmen_do_not_send_the_same_mail(engine: AsyncEngine, tmp_path: Path) -> None:
    transport = Played()
    office = Office(engine, tmp_path, transport)
    for number in range(6):
        await office.post(f"k{number}")
    async with asyncio.TaskGroup() as group:
        for postman in (office.postman, office.hire(), office.hire()):
            group.create_task(_empty(postman))
    assert sorted(str(one["Message-ID"]) for one in transport.took) == sorted(
        {row.message_id for row in await office.rows()}
    )


async def _empty(postman: Postman) -> None:
    while (claimed := await postman.claim()) is not None:
        await postman.deliver(claimed)


async def test_a_crash_before_the_mail_server_took_it_loses_nothing(engine: AsyncEngine, tmp_path: Path) -> None:
    transport = Played()
    office = Office(engine, tmp_path, transport)
    await office.post("k")
    assert await office.postman.claim() is not None  # and then the server dies
    assert await office.hire().claim() is None, "the lease still holds"
    async with transaction(office.sessions) as session:
        assert await outbox.reclaim(session, str(tmp_path)) == 1
    assert await office.deliver()
    assert len(transport.took) == 1


async def test_a_crash_after_the_mail_server_took_it_sends_the_same_mail_again(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    transport = Played()
    office = Office(engine, tmp_path, transport)
    await office.post("k")
    claimed = await office.postman.claim()
    assert claimed is not None
    await office.postman.hand_over(claimed.mail)  # and then the server dies
    office.clock.move(minutes=4)
    assert await office.deliver()
    first, second = transport.took
    assert first["Message-ID"] == second["Message-ID"], "by which the receiver knows that it is one mail"


async def test_files_are_written_once_whatever_happens(engine: AsyncEngine, tmp_path: Path) -> None:
    office = Office(engine, tmp_path, Filing(tmp_path / "mail"))
    await office.post("k")
    claimed = await office.postman.claim()
    assert claimed is not None
    await office.postman.hand_over(claimed.mail)  # and then the server dies
    office.clock.move(minutes=4)
    assert await office.deliver()
    assert len(list((tmp_path / "mail").iterdir())) == 1


async def test_a_late_postman_cannot_undo_what_another_wrote(engine: AsyncEngine, tmp_path: Path) -> None:
    office = Office(engine, tmp_path, Played())
    await office.post("k")
    slow = await office.postman.claim()
    assert slow is not None
    office.clock.move(minutes=4)
    assert await office.deliver()
    async with transaction(office.sessions) as session:
        assert not await outbox.again(session, slow, office.clock.now(), "late")
    assert [row.sent for row in await office.rows()] == [True]


async def test_a_report_that_is_gone_leaves_its_link(engine: AsyncEngine, tmp_path: Path) -> None:
    transport = Played()
    office = Office(engine, tmp_path, transport)
    letter = Letter(subject="s", text="t", html="<p>link</p><!--page-->", page="gone/index.html", page_url="http://x/",
                    attachments=(("a.csv", "gone/a.csv"),))  # fmt: skip
    await office.post("k", letter)
    assert await office.deliver()
    body = transport.took[0].get_body(("html",))
    assert body is not None
    assert "read on the server" in body.get_content()
    assert list(transport.took[0].iter_attachments()) == []


async def test_old_mails_are_forgotten(engine: AsyncEngine, tmp_path: Path) -> None:
    office = Office(engine, tmp_path, Played())
    await office.post("k")
    await office.deliver()
    async with transaction(office.sessions) as session:
        await outbox.prune(session, office.clock.now() + outbox.KEPT + dt.timedelta(seconds=1))
    assert await office.rows() == []
