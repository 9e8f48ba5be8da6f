"""The first page: what one looks after, or everything one may visit, found by words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rostra.web.paged import page_number, pager
from rostra.web.screens import Call, Screen
from rostra.web.views import ItemRow

SIZE = 50  # rows on a page


async def _load(call: Call) -> dict[str, Any]:
    everything = call.asked("show") == "all" or not call.who.may_publish
    services, who = call.services, call.who
    rows = await (services.visible_content(who) if everything else services.my_content(who))
    found = [row for row in rows if fits(row, call.asked("q"))]
    number = page_number(call)
    return {
        "rows": found[(number - 1) * SIZE : number * SIZE],
        "any": bool(rows),
        "everything": everything,
        "q": call.asked("q"),
        "pages": pager(call, number, len(found), SIZE),
    }


def fits(row: ItemRow, words: str) -> bool:
    """Return whether each of the words is somewhere in what the list shows of the item, or in its address."""
    shown: Iterable[str] = (row.title, row.kind, row.owner, row.state.value, row.python or "", row.url, row.guid)
    text = " ".join(shown).lower()
    return all(word in text for word in words.lower().split())


SCREEN = Screen(path="", template="content.html", load=_load)
