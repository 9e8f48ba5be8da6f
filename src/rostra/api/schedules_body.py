"""A schedule as clients send it."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

from pydantic import BaseModel

from rostra.rendering.calendar import BadSchedule, Every, zone_of
from rostra.rendering.schedules import Wanted
from rostra.rendering.tables import ScheduleRow
from rostra.wire import choice


class ScheduleBody(BaseModel):
    """What is left out stays as it is; for a new schedule: mail off, shown, not paused, UTC, beginning now.

    ``schedule`` is the JSON text older clients send, or the object itself.
    """

    type: Annotated[str | None, choice(Every, null=True)] = None
    schedule: str | dict[str, Any] | list[Any] | None = None
    start_time: str | None = None
    timezone: str | None = None
    email: bool | None = None
    activate: bool | None = None
    paused: bool | None = None


class NewScheduleBody(ScheduleBody):
    """Older clients name the variant by its number."""

    app_id: int | str | None = None
    variant_id: int


def wanted(body: ScheduleBody, there: ScheduleRow | None, now: dt.datetime) -> Wanted:
    """Return what the body asks for, completed from the schedule that is there.

    Raises:
        BadSchedule
    """
    zone = body.timezone or (there.zone if there else "UTC")
    every = body.type or (there.every if there else None)
    if every is None:
        raise BadSchedule("type", "it is missing")
    kept = there if there is not None and there.every == every else None
    return Wanted(
        every=every,
        payload=_payload(body.schedule) if body.schedule is not None else (kept.payload if kept else "{}"),
        start=_moment(body.start_time, zone) if body.start_time else (there.start_at if there else now),
        zone=zone,
        email=_given(body.email, there.email if there else False),
        activate=_given(body.activate, there.activate if there else True),
        paused=_given(body.paused, there.paused if there else False),
    )


def _given(value: bool | None, otherwise: bool) -> bool:
    return otherwise if value is None else value


def _payload(given: str | dict[str, Any] | list[Any]) -> str:
    return given if isinstance(given, str) else json.dumps(given)


def _moment(text: str, zone: str) -> dt.datetime:
    """A time without an offset is one of the schedule's own zone."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as why:
        raise BadSchedule("start_time", f"{text[:40]!r} is not a time; write for example 2026-01-31T09:00:00Z") from why
    return moment if moment.tzinfo else moment.replace(tzinfo=zone_of(zone))
