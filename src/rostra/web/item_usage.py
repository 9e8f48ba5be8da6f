"""The page of who opened an item, and when."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rostra.web.item_head import changeable
from rostra.web.screens import Call, Screen

DAYS = 30
MOST_PEOPLE = 25


@dataclass(frozen=True, slots=True)
class Day:
    """``share`` is of the busiest day, from 0 to 100."""

    day: dt.date
    hits: int
    share: float


async def _load(call: Call) -> dict[str, Any]:
    head = await changeable(call)
    today = call.services.clock.now().date()
    since = (today - dt.timedelta(days=DAYS - 1)).isoformat()
    hits = await call.services.ask(
        call.request, "GET", f"v1/instrumentation/content/hits?content_guid={call.guid}&from={since}"
    )
    people = Counter(hit["user_guid"] for hit in hits)
    anonymous = people.pop(None, 0)
    return {
        "head": head,
        "tab": "usage",
        "total": len(hits),
        "days": days((dt.datetime.fromisoformat(hit["timestamp"]).date() for hit in hits), today),
        "anonymous": anonymous,
        "people": [(await _name(call, guid), count) for guid, count in people.most_common(MOST_PEOPLE)],
        "readers": len(people),
    }


async def _name(call: Call, guid: str) -> str:
    return str((await call.get(f"v1/users/{guid}"))["username"])


def days(hits: Iterable[dt.date], today: dt.date, length: int = DAYS) -> Sequence[Day]:
    """Return the last days, oldest first, each with how often something was opened."""
    counted = Counter(hits)
    every = [today - dt.timedelta(days=back) for back in reversed(range(length))]
    busiest = max((counted[day] for day in every), default=0) or 1
    return [Day(day, counted[day], round(100 * counted[day] / busiest, 1)) for day in every]


SCREEN = Screen(path="apps/{guid:uuid}/usage", template="item_usage.html", load=_load)
