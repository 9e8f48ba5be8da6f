"""The audit log: who changed what, and when."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request

from rostra.api.addresses import Links
from rostra.api.edge import Administrator, Reading
from rostra.api.paging import Limit, keyset
from rostra.clock import wire_time
from rostra.content import audit_log
from rostra.content.tables import AuditEntry

router = APIRouter()


def shape(entry: AuditEntry) -> dict[str, Any]:
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
    who: Administrator,  # noqa: ARG001
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
) -> dict[str, Any]:
    """Entries, newest first unless ``ascOrder``; ``next`` and ``previous`` take the cursors of a page."""
    wanted = audit_log.Wanted(
        ascending=asc_order if ascOrder is None else ascOrder,
        limit=limit,
        next=next or None,
        previous=previous or None,
        action=action or None,
        user_guid=user_guid or None,
    )
    found = await audit_log.page(session, wanted)
    last = await audit_log.last(session, wanted)
    rows = [shape(entry) for entry in found.entries]
    return keyset(request, links, rows, previous=found.previous, next=found.next, last=last)


@router.get("/v1/audit_logs/{entry_id}")
async def get_audit_log(entry_id: str, who: Administrator, session: Reading) -> dict[str, Any]:  # noqa: ARG001
    """One entry with what each changed row was and became; secrets are named, never shown."""
    entry = await audit_log.get(session, entry_id)
    return {**shape(entry), "subject": entry.subject, **entry.changes}
