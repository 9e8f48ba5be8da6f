"""Environment variables of items: encrypted where they are kept, given to nobody but the item's own processes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import sqlalchemy as sa
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.disk import scratch_beside
from rostra.content.errors import (
    DuplicateVariable,
    EmptyVariableName,
    InvalidVariable,
    ProhibitedVariable,
    VariablesLocked,
)
from rostra.content.names import storable
from rostra.content.tables import Item, Variable
from rostra.durable import sync_folder

Change = tuple[str, str | None]

VALUE_BYTES = 100_000  # the kernel refuses a variable of 128 KiB, name included
_MOST = 1000
NAME = r"[A-Za-z_][A-Za-z0-9_.-]{0,254}"
_NAME = re.compile(NAME, re.ASCII)

OVERRIDABLE = frozenset({"CONNECT_SERVER", "CONNECT_API_KEY"})
# What the server itself sets, and what would act on the programs that start a process rather than on the process.
_PROHIBITED_NAMES = frozenset(
    [
        *("HOME", "LOGNAME", "PATH", "PWD", "SHELL", "TMPDIR", "USER", "VIRTUAL_ENV"),
        *("POSIT_PRODUCT", "POSIX_PRODUCT", "RSTUDIO_PRODUCT"),
        *("PYTHONEXECUTABLE", "PYTHONHOME", "BASH_ENV", "ENV", "IFS"),
        *("GCONV_PATH", "GLIBC_TUNABLES", "HOSTALIASES", "LOCALDOMAIN", "LOCPATH", "NLSPATH", "RES_OPTIONS"),
    ]
)
_PROHIBITED_STARTS = ("CONNECT_", "ROSTRA_", "LD_", "BASH_FUNC_")


class Box:
    """Closes and opens values with the keys of one file: the first line closes, every line may open.

    A value opens only as the variable it was closed as: copying a row to another item or name gives nothing.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as why:
            raise VariablesLocked("secrets/variables.key holds something that is no key") from why

    def close(self, item_id: int, name: str, value: str) -> str:
        return self._fernet.encrypt(json.dumps([item_id, name, value]).encode()).decode()

    def open(self, item_id: int, name: str, closed: str) -> str:
        """Raises: VariablesLocked."""
        try:
            number, label, value = json.loads(self._fernet.decrypt(closed.encode()))
        except (InvalidToken, ValueError) as why:
            raise VariablesLocked(f"{name} was stored with another key") from why
        if (number, label) != (item_id, name):
            raise VariablesLocked(f"{name} belongs to something else")
        return str(value)


def open_box(path: Path) -> Box:
    """Return the box of this key file, made once (0600) when it is missing.

    Two servers that start at the same time agree on one key, and a crash leaves a whole key or none.

    Raises:
        VariablesLocked: the file cannot be read, or holds no key.
    """
    try:
        if not path.exists():
            _make_key(path)
        return Box(path.read_bytes().split())
    except OSError as why:
        raise VariablesLocked(f"{path.name}: {why.strerror}") from why


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = scratch_beside(path)
    with open(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(scratch)  # unlike a rename it never replaces a key that somebody uses already
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
    sync_folder(path.parent)


async def names(session: AsyncSession, item: Item) -> list[str]:
    """Return the names of an item's variables, sorted. Values are never listed."""
    wanted = sa.select(Variable.name).where(Variable.item_id == item.id)
    return sorted((await session.execute(wanted)).scalars())


async def state(session: AsyncSession, item: Item) -> list[str]:
    """Return what is another list after every change, also one that sets a value to what it was."""
    rows = await session.execute(sa.select(Variable.name, Variable.value).where(Variable.item_id == item.id))
    return [part for row in sorted(rows.all()) for part in row]


async def merge(session: AsyncSession, box: Box, item: Item, changes: Iterable[Change]) -> list[str]:
    """Set those with a value, remove those with None, leave all others; return the names there are then.

    Raises:
        InvalidVariable, EmptyVariableName, ProhibitedVariable, DuplicateVariable: nothing was changed.
    """
    wanted = _checked(changes)
    kept = set(await names(session, item)) - wanted.keys()
    if len(kept) + sum(value is not None for value in wanted.values()) > _MOST:
        raise InvalidVariable(next(iter(wanted)), f"is one too many: at most {_MOST} are kept")
    await session.execute(sa.delete(Variable).where(Variable.item_id == item.id, Variable.name.in_(list(wanted))))
    for name, value in wanted.items():
        if value is not None:
            session.add(Variable(item_id=item.id, name=name, value=box.close(item.id, name, value)))
    await session.flush()
    return await names(session, item)


async def replace(session: AsyncSession, box: Box, item: Item, values: Iterable[Change]) -> list[str]:
    """Make these the item's only variables; ``[]`` clears them all. Returns and raises as `merge`."""
    given = list(values)
    _checked(given)
    await session.execute(sa.delete(Variable).where(Variable.item_id == item.id))
    return await merge(session, box, item, given)


async def for_process(session: AsyncSession, box: Box, item_id: int) -> dict[str, str]:
    """Return an item's variables in clear, for its own process.

    Raises:
        VariablesLocked: the key file is not the one they were stored with.
    """
    rows = await session.execute(sa.select(Variable.name, Variable.value).where(Variable.item_id == item_id))
    return {name: box.open(item_id, name, closed) for name, closed in sorted(rows.all())}


def _checked(changes: Iterable[Change]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, value in changes:
        _check_name(name)
        _check_value(name, value)
        if name in found:
            raise DuplicateVariable(name)
        found[name] = value
    return found


def _check_name(name: object) -> None:
    if name == "":
        raise EmptyVariableName
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidVariable(name, "has a name that cannot be used")
    if name not in OVERRIDABLE and (name in _PROHIBITED_NAMES or name.startswith(_PROHIBITED_STARTS)):
        raise ProhibitedVariable(name)


def _check_value(name: str, value: object) -> None:
    if value is None:
        return
    if not isinstance(value, str):
        raise InvalidVariable(name, "has a value that is not text")
    if not storable(value) or len(value.encode()) > VALUE_BYTES:
        raise InvalidVariable(name, "has a value that cannot be used: it holds NUL, is no Unicode text or is too long")
