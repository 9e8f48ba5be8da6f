"""How jobs look on the wire: exactly these keys, in this order."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from rostra.api.content_shapes import LOCAL
from rostra.clock import wire_time
from rostra.content.tables import Item, Job
from rostra.wire import Guid, Id, Time


class _Skipped(TypedDict, total=False):
    skip_reason: str


class JobShape(_Skipped):
    """``status``: 0 it runs, 2 it has ended, 3 it was never started, for the ``skip_reason``."""

    id: Id
    ppid: Id | None
    pid: Id | None
    key: str
    remote_id: str | None
    app_id: Id
    content_id: Id
    content_guid: Guid
    variant_id: Id
    variant_key: str | None
    bundle_id: Id | None
    start_time: Time
    end_time: Time | None
    last_heartbeat_time: Time
    queued_time: Time
    queue_name: str
    tag: str
    exit_code: int | None
    error: str | None
    status: Literal[0, 2, 3]
    hostname: str
    cluster: str
    image: str
    run_as: str


def job(row: Job, item: Item, hostname: str, variant_key: str | None) -> JobShape:
    """``variant_key`` is that of the variant it rendered."""
    return {
        "id": str(row.id),
        "ppid": None,
        "pid": None if row.pid is None else str(row.pid),
        "key": row.key,
        "remote_id": None,
        "app_id": str(item.id),
        "content_id": str(item.id),
        "content_guid": item.guid,
        "variant_id": str(row.variant_id or 0),
        "variant_key": variant_key,
        "bundle_id": None if row.bundle_id is None else str(row.bundle_id),
        "start_time": wire_time(row.started_at or row.queued_at),
        "end_time": None if row.ended_at is None else wire_time(row.ended_at),
        "last_heartbeat_time": wire_time(row.ended_at or row.started_at or row.queued_at),
        "queued_time": wire_time(row.queued_at),
        "queue_name": "default",
        "tag": row.tag,
        "exit_code": row.exit_code,
        "error": row.error,
        "status": status(row),
        **_skipped(row),
        "hostname": hostname,
        "cluster": LOCAL,
        "image": LOCAL,
        "run_as": item.run_as or "",
    }


def status(row: Job) -> Literal[0, 2, 3]:
    """Active, ended, or never started."""
    if row.skip_reason is not None:
        return 3
    return 0 if row.ended_at is None else 2


def _skipped(row: Job) -> _Skipped:
    return {} if row.skip_reason is None else {"skip_reason": row.skip_reason}
