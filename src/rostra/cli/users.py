"""`rostra users`: accounts and sign-in links, straight from the database; works with the server stopped, too."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Role
from rostra.cli.serve import loaded
from rostra.config.sections import Settings

app = typer.Typer(help="Accounts, passwords and sign-in links.", no_args_is_help=True)

Config = Annotated[Path | None, typer.Option("--config", help="The server's configuration file.")]
T = TypeVar("T")


@app.command("add")
def add(
    username: Annotated[str, typer.Argument(help="What the person signs in with.")],
    config: Config = None,
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.publisher,
    email: Annotated[str, typer.Option(help="Address for mail.")] = "",
) -> None:
    """Make an account; the password is asked for, or read from standard input."""
    from rostra.auth import users
    from rostra.auth.passwords import Passwords
    from rostra.clock import SystemClock
    from rostra.content import audit_log

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if _terminal() else _line()
    wanted = users.NewUser(username=username, role=role, email=email, password=password)

    async def make(session: AsyncSession, _settings: Settings) -> None:
        now = SystemClock().now()
        recorder = audit_log.attend(session)
        made = await users.create(session, Passwords(), wanted, now)
        audit_log.note(session, **_whose_terminal())
        audit_log.write(session, recorder, None, action="add_user_by_command", subject=made.guid, now=now)

    _with_database(config, make)
    print(f"made the account {username}")


@app.command("sign-in-link")
def sign_in_link(
    username: Annotated[str, typer.Argument(help="Whom it signs in; the first administrator when not given.")] = "",
    config: Config = None,
) -> None:
    """Print a link that signs this person in once, within an hour."""
    import datetime as dt

    import sqlalchemy as sa

    from rostra.auth import links, users
    from rostra.auth.tables import User
    from rostra.clock import SystemClock
    from rostra.content import audit_log
    from rostra.errors import NotFound

    async def make(session: AsyncSession, settings: Settings) -> str:
        first = sa.select(User).where(User.role == "administrator").order_by(User.id).limit(1)
        found = (
            await users.by_username(session, username)
            if username
            else (await session.execute(first)).scalar_one_or_none()
        )
        if found is None:
            raise NotFound(f"there is no account {username}".strip(), hint="Make one with: rostra users add")
        now = SystemClock().now()
        recorder = audit_log.attend(session)
        token = await links.create(session, found.id, now, dt.timedelta(hours=1))
        audit_log.note(session, account=found.username, **_whose_terminal())
        audit_log.write(session, recorder, None, action="make_sign_in_link", subject=found.guid, now=now)
        address = settings.server.address.rstrip("/") or f"http://{settings.http.listen}"
        return f"{address}/__signin__/{token}"

    print(_with_database(config, make))


def _with_database(config: Path | None, work: Callable[[AsyncSession, Settings], Awaitable[T]]) -> T:
    from rostra.db.engine import open_engine, session_factory, transaction
    from rostra.db.schema import upgrade

    settings = loaded(config).settings

    async def run() -> T:
        engine = open_engine(settings)
        try:
            await upgrade(engine)
            async with transaction(session_factory(engine)) as session:
                return await work(session, settings)
        finally:
            await engine.dispose()

    return asyncio.run(run())


def _whose_terminal() -> dict[str, str]:
    """Return the account of this machine that gave the command: Rostra knows no other of who it was."""
    import getpass
    import os

    try:
        return {"system_account": getpass.getuser()}
    except (OSError, KeyError):  # an account number without a name
        return {"system_account": str(os.getuid())}


def _terminal() -> bool:
    import sys

    return sys.stdin.isatty()


def _line() -> str:
    import sys

    return sys.stdin.readline().rstrip("\n")
