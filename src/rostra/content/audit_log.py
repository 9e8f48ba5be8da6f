"""The audit log: every change, who made it, and what each row was and became.

Written in the transaction that makes the change, so neither is ever without the other. Secrets are named, never kept.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import ORMExecuteState, UOWTransaction
from sqlalchemy.orm import Session as SyncSession

from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.content.tables import AuditEntry
from rostra.errors import Invalid, NotFound

# What changes all the time without anybody changing it, and the log itself.
NOT_CHANGES = frozenset(
    [
        *("sessions", "tasks", "task_lines", "jobs", "visits", "audit_entries", "environments"),
        *("usage_sessions", "job_samples", "used_signatures"),
    ]
)
SECRET = frozenset(
    [
        *("password_hash", "key_hash", "token_hash", "token", "public_key", "value", "secrets", "image", "tokens"),
        "parameters",  # of a document; some are passwords
    ]
)
# In a table's ``info``: (column, columns). Where the first is true, the others are one person's own.
PRIVATE_WHERE = "audit-private-where"
# What is written besides the changes that come through the API's routes.
OTHER_ACTIONS = {
    "add_user_by_command": "Make an account with the command line of the server's machine.",
    "claim_token": "Make a publishing client's key pair one's own.",
    "make_sign_in_link": "Make a link that signs a person in once, with the command line of the server's machine.",
    "sign_in": "Sign in with a browser, with a password or a link.",
    "sign_out": "Sign out of a browser.",
    "refuse_sign_in": "A sign-in that failed: a wrong password or name, or a locked account.",
}
LONGEST_VALUE = 1000  # characters of one value that are kept
LONGEST_DESCRIPTION = 500
MOST_ROWS = 200  # of one statement that are kept
_RECORDER = "audit"


class NoSuchEntry(NotFound):
    code = "no-such-audit-entry"

    def __init__(self, entry_id: str) -> None:
        super().__init__(f"the audit log has no entry {entry_id[:40]!r}", hint="List the audit log.")


class CursorInvalid(Invalid):
    code = "cursor-invalid"
    number = 25

    def __init__(self) -> None:
        super().__init__("that is no cursor of this list", hint="Use the next or previous cursor a page gave.")


@dataclass(slots=True)
class Recorder:
    """What one transaction changed. ``notes`` is what the rows do not say, ``statements`` where rows
    were added unread.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    statements: set[str] = field(default_factory=set)
    notes: dict[str, Any] = field(default_factory=dict)
    subject: str | None = None

    @property
    def anything(self) -> bool:
        return bool(self.rows or self.statements or self.notes)


def attend(session: AsyncSession) -> Recorder:
    """Record from now on what ``session`` changes."""
    recorder = Recorder()
    session.info[_RECORDER] = recorder

    def flushed(sync: SyncSession, _context: UOWTransaction) -> None:
        for row in (*sync.new, *sync.dirty, *sync.deleted):
            _record(recorder, sync, row)

    def executed(state: ORMExecuteState) -> Any:
        table = getattr(state.bind_mapper, "local_table", None)
        if not isinstance(table, sa.Table) or table.name in NOT_CHANGES:
            return None
        if state.is_insert:
            recorder.statements.add(table.name)
        return _with_rows(recorder, state, table) if state.is_update or state.is_delete else None

    event.listen(session.sync_session, "after_flush", flushed)
    event.listen(session.sync_session, "do_orm_execute", executed)
    return recorder


def note(session: AsyncSession, *, subject: str | None = None, **facts: Any) -> None:
    """Add what the changed rows do not say; without an attending recorder this does nothing."""
    recorder = session.info.get(_RECORDER)
    if isinstance(recorder, Recorder):
        recorder.notes |= facts
        recorder.subject = subject or recorder.subject


def write(
    session: AsyncSession,
    recorder: Recorder,
    who: Principal | None,
    *,
    action: str,
    subject: str | None,
    now: dt.datetime,
) -> None:
    """Add the entry, unless nothing was changed."""
    if not recorder.anything:
        return
    by = _By(who.user_id, who.guid, who.username) if who else _SERVER
    session.add(_entry(by, action, recorder.subject or subject, recorder, now))


def tell(
    session: AsyncSession,
    who: User | None,
    *,
    action: str,
    subject: User | None,
    facts: Mapping[str, Any],
    now: dt.datetime,
) -> None:
    """Add an entry of what is no change of a row: who came and went, and who was not let in (``who`` None)."""
    named = {"account": subject.username} if subject is not None and who is None else {}
    by = _By(who.id, who.guid, who.username) if who else _SOMEBODY
    session.add(_entry(by, action, subject.guid if subject else None, Recorder(notes={**named, **facts}), now))


class _By(NamedTuple):
    id: int | None
    guid: str | None
    name: str


_SERVER, _SOMEBODY = _By(None, None, "system"), _By(None, None, "somebody")


def _entry(by: _By, action: str, about: str | None, recorder: Recorder, now: dt.datetime) -> AuditEntry:
    return AuditEntry(
        at=now,
        user_id=by.id,
        user_guid=by.guid,
        user_description=by.name,
        action=action,
        description=describe(by.name, action, about, recorder),
        subject=about,
        changes={"rows": recorder.rows, "notes": recorder.notes},
    )


def describe(actor: str, action: str, subject: str | None, recorder: Recorder) -> str:
    """Return one line for people: ``ada: change content 6f… (title: null → "Sales")``."""
    said = f"{actor}: {action.replace('_', ' ')}" + (f" {subject}" if subject else "")
    parts = [f"{name}: {_brief(value)}" for name, value in recorder.notes.items()]
    for row in recorder.rows:
        if row["before"] is not None and row["after"] is not None:
            parts += [f"{name}: {_brief(row['before'][name])} → {_brief(row['after'][name])}" for name in row["after"]]
    line = f"{said} ({', '.join(parts)})" if parts else said
    return line if len(line) <= LONGEST_DESCRIPTION else line[: LONGEST_DESCRIPTION - 1] + "…"


def _brief(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]


def _with_rows(recorder: Recorder, state: ORMExecuteState, table: sa.Table) -> Any:
    """Execute a statement that changes rows unread, and record what they were and became."""
    where: Any = getattr(state.statement, "whereclause", None)
    keys = list(table.primary_key.columns)

    def rows(condition: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
        wanted = sa.select(table).limit(MOST_ROWS)
        found = state.session.connection().execute(wanted if condition is None else wanted.where(condition)).mappings()
        return {tuple(row[key] for key in keys): {column.name: row[column] for column in table.c} for row in found}

    state.session.flush()
    before = rows(where)
    result = state.invoke_statement()
    after = rows(sa.tuple_(*keys).in_(list(before))) if before and state.is_update else {}
    for key, was in before.items():
        now = after.get(key)
        changed = [name for name, value in was.items() if now is None or now[name] != value]
        private = _private(table, was.__getitem__)
        if changed:
            recorder.rows.append(
                {
                    "table": table.name,
                    "key": "/".join(str(part) for part in key),
                    "before": {name: _kept(name, was[name], private) for name in changed},
                    "after": None if now is None else {name: _kept(name, now[name], private) for name in changed},
                }
            )
    return result


def _record(recorder: Recorder, sync: SyncSession, row: Any) -> None:
    state = sa.inspect(row)
    table = state.mapper.local_table.name
    if table in NOT_CHANGES:
        return
    before, after = {}, {}
    private = _private(state.mapper.local_table, lambda name: getattr(row, name))
    for attribute in state.mapper.column_attrs:
        was, now = _values(attribute.key, state.attrs[attribute.key].history, private)
        if row in sync.dirty and was == now and not state.attrs[attribute.key].history.has_changes():
            continue
        before[attribute.key], after[attribute.key] = was, now
    if row in sync.dirty and not after:
        return
    key = "/".join(str(part) for part in state.mapper.primary_key_from_instance(row))
    recorder.rows.append(
        {
            "table": table,
            "key": key,
            "before": None if row in sync.new else before,
            "after": None if row in sync.deleted else after,
        }
    )


def _private(table: Any, value_of: Callable[[str], Any]) -> Collection[str]:
    """Return which of a row's columns are nobody else's business."""
    column, columns = table.info.get(PRIVATE_WHERE, ("", ()))
    return columns if column and value_of(column) else ()


def _values(name: str, history: Any, private: Collection[str]) -> tuple[Any, Any]:
    was = (history.deleted or history.unchanged or (None,))[0]
    now = (history.added or history.unchanged or (None,))[0]
    return (_kept(name, was, private), _kept(name, now, private))


def _kept(name: str, value: Any, private: Collection[str]) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if name in SECRET or name in private:
        return "…"
    if isinstance(value, dt.datetime):
        return value.isoformat()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(text) > LONGEST_VALUE:
        return text[:LONGEST_VALUE] + "…"
    return text if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of the log. The cursors ask for what lies on either side; None: nothing does."""

    entries: Sequence[AuditEntry]
    previous: str | None
    next: str | None


def cursor(entry_id: int) -> str:
    return base64.urlsafe_b64encode(f"audit:{entry_id}".encode()).decode()


def _id_of(text: str) -> int:
    """Raises: CursorInvalid."""
    try:
        label, _, number = base64.urlsafe_b64decode(text.encode()).decode().partition(":")
        if label != "audit" or not 0 < int(number) < 2**62:
            raise CursorInvalid
        return int(number)
    except ValueError as why:
        raise CursorInvalid from why


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries: of ``action``, of ``user_guid`` and in [``since``, ``until``), as far as given."""

    ascending: bool = False
    limit: int = 20
    next: str | None = None
    previous: str | None = None
    action: str | None = None
    user_guid: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


async def get(session: AsyncSession, entry_id: str) -> AuditEntry:
    """Raises: NoSuchEntry."""
    numeric = entry_id.isascii() and entry_id.isdecimal() and len(entry_id) < 19
    entry = await session.get(AuditEntry, int(entry_id)) if numeric else None
    if entry is None:
        raise NoSuchEntry(entry_id)
    return entry


async def page(session: AsyncSession, wanted: Wanted) -> Slice:
    """Return the entries asked for, newest first unless ``ascending``; entries added meanwhile shift nothing.

    Raises:
        CursorInvalid
    """
    at = wanted.next or wanted.previous
    backwards = wanted.next is None and wanted.previous is not None
    upwards = wanted.ascending != backwards  # towards greater numbers
    query = _filtered(sa.select(AuditEntry), wanted)
    if at is not None:
        number = _id_of(at)
        query = query.where(AuditEntry.id > number if upwards else AuditEntry.id < number)
    order = AuditEntry.id.asc() if upwards else AuditEntry.id.desc()
    rows = list((await session.execute(query.order_by(order).limit(wanted.limit + 1))).scalars())
    more, rows = len(rows) > wanted.limit, rows[: wanted.limit]
    if backwards:
        rows.reverse()
    before = more if backwards else at is not None
    after = True if backwards else more
    return Slice(
        entries=rows,
        previous=cursor(rows[0].id) if rows and before else None,
        next=cursor(rows[-1].id) if rows and after else None,
    )


def _filtered(query: Any, wanted: Wanted) -> Any:
    if wanted.action:
        query = query.where(AuditEntry.action == wanted.action)
    if wanted.user_guid:
        query = query.where(AuditEntry.user_guid == wanted.user_guid)
    return _between(query, wanted.since, wanted.until)


def _between(query: Any, since: dt.datetime | None, until: dt.datetime | None) -> Any:
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if until is not None:
        query = query.where(AuditEntry.at < until)
    return query


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is searched for; an empty field asks for nothing. In [``since``, ``until``)."""

    text: str = ""
    actions: tuple[str, ...] = ()
    user_guid: str = ""
    subject: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    ascending: bool = False


async def search(session: AsyncSession, sought: Sought, *, page: int, size: int) -> tuple[Sequence[AuditEntry], int]:
    """Return a page of the entries found, and how many there are."""
    query = sa.select(AuditEntry)
    if sought.text:
        query = query.where(AuditEntry.description.icontains(sought.text, autoescape=True))
    if sought.actions:
        query = query.where(AuditEntry.action.in_(sought.actions[:100]))
    if sought.user_guid:
        query = query.where(AuditEntry.user_guid == sought.user_guid)
    if sought.subject:
        query = query.where(AuditEntry.subject == sought.subject)
    query = _between(query, sought.since, sought.until)
    total = (await session.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()
    order = AuditEntry.id.asc() if sought.ascending else AuditEntry.id.desc()
    rows = await session.execute(query.order_by(order).limit(size).offset((page - 1) * size))
    return rows.scalars().all(), total


async def last(session: AsyncSession, wanted: Wanted) -> str | None:
    """Return the cursor after which the last page begins; None when everything fits on one."""
    order = AuditEntry.id.desc() if wanted.ascending else AuditEntry.id.asc()
    query = _filtered(sa.select(AuditEntry.id), wanted).order_by(order).offset(wanted.limit).limit(1)
    number: int | None = (await session.execute(query)).scalar_one_or_none()
    return None if number is None else cursor(number)
