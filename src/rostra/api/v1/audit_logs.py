"""The audit log: who changed what, and when."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from typing_extensions import TypedDict

from rostra.api.addresses import Links
from rostra.api.answers import Router
from rostra.api.edge import AuditReader, Reading
from rostra.api.paging import Keyset, Limit, Page, Paged, keyset
from rostra.api.v1.usage import moment
from rostra.clock import wire_time
from rostra.content import audit_log
from rostra.content.tables import AuditEntry
from rostra.wire import Guid, Id, Time, choice

router = Router()


class AuditEntryShape(TypedDict):
    """``user_id`` is 0 and ``user_guid`` null for what the server did itself."""

    id: Id
    time: Time
    user_id: Id
    user_guid: Guid | None
    user_description: str
    action: str
    event_description: str


class FoundAuditEntry(AuditEntryShape):
    """``subject`` is the guid, or the name, of what was changed."""

    subject: str | None


class ChangedRow(TypedDict):
    """``before`` is null for a new row, ``after`` for one that is gone; both hold its columns by name."""

    table: str
    key: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class WholeAuditEntry(FoundAuditEntry):
    rows: list[ChangedRow]
    notes: dict[str, Any]


class AuditAction(TypedDict):
    action: str
    description: str


def shape(entry: AuditEntry) -> AuditEntryShape:
    """Return an entry as clients know one; exactly these keys."""
    return {
        "id": str(entry.id),
        "time": wire_time(entry.at),
        "user_id": str(entry.user_id or 0),
        "user_guid": entry.user_guid,
        "user_description": entry.user_description,
        "action": entry.action,
        "event_description": entry.description,
    }


@router.get("/v1/audit_logs")
async def list_audit_logs(
    *,
    who: AuditReader,  # noqa: ARG001
    session: Reading,
    request: Request,
    links: Links,
    limit: Limit,
    ascOrder: bool | None = None,  # noqa: N803
    asc_order: bool = False,
    next: str | None = None,  # noqa: A002
    previous: str | None = None,
    action: str | None = None,
    user_guid: str | None = None,
    since: Annotated[str, Query(alias="from")] = "",
    to: str = "",
) -> Keyset[AuditEntryShape]:
    """Entries, newest first unless ``ascOrder``; ``next`` and ``previous`` take the cursors of a page."""
    wanted = audit_log.Wanted(
        ascending=asc_order if ascOrder is None else ascOrder,
        limit=limit,
        next=next or None,
        previous=previous or None,
        action=action or None,
        user_guid=user_guid or None,
        since=moment("from", since),
        until=moment("to", to, end=True),
    )
    found = await audit_log.page(session, wanted)
    last = await audit_log.last(session, wanted)
    rows = [shape(entry) for entry in found.entries]
    return keyset(request, links, rows, previous=found.previous, next=found.next, last=last)


@router.get("/v1/audit/actions")
async def list_audit_actions(who: AuditReader) -> list[AuditAction]:  # noqa: ARG001
    """The actions an entry may have, with what they are, by name."""
    from rostra.api.app import described

    changing = [route for route in described() if "GET" not in (route.methods or ())]
    said = {route.name: (route.endpoint.__doc__ or "").strip().split("\n")[0] for route in changing}
    said |= audit_log.OTHER_ACTIONS
    return [{"action": name, "description": said[name]} for name in sorted(said)]


@router.get("/v1/search/auditlogs")
async def search_audit_logs(
    *,
    who: AuditReader,  # noqa: ARG001
    session: Reading,
    page: Paged,
    q: str = "",
    action: str = "",
    user_guid: str = "",
    subject: str = "",
    since: Annotated[str, Query(alias="from")] = "",
    to: str = "",
    order: Annotated[str, choice(("asc", "desc"))] = "desc",
) -> Page[FoundAuditEntry]:
    """Entries with ``q`` in their description, newest first unless ``order=asc``; several actions with ``|``."""
    sought = audit_log.Sought(
        text=q,
        actions=tuple(name for name in action.split("|") if name),
        user_guid=user_guid,
        subject=subject,
        since=moment("from", since),
        until=moment("to", to, end=True),
        ascending=order == "asc",
    )
    rows, total = await audit_log.search(session, sought, page=page.number, size=page.size)
    return page.of([{**shape(entry), "subject": entry.subject} for entry in rows], total)


@router.get("/v1/audit_logs/{entry_id}")
async def get_audit_log(entry_id: str, who: AuditReader, session: Reading) -> WholeAuditEntry:  # noqa: ARG001
    """One entry with what each changed row was and became; secrets are named, never shown."""
    entry = await audit_log.get(session, entry_id)
    changes = entry.changes
    return {**shape(entry), "subject": entry.subject, "rows": changes["rows"], "notes": changes["notes"]}
