"""The top of an item's pages, for those who look after it."""

from __future__ import annotations

from rostra.errors import Forbidden
from rostra.web.screens import Call
from rostra.web.views import ItemHead


class NotYoursToChange(Forbidden):
    code = "not-yours-to-change"

    def __init__(self, owner: str) -> None:
        super().__init__("you may visit this content, but not change it", hint=f"Ask {owner} to let you collaborate.")


async def changeable(call: Call) -> ItemHead:
    """Return the top of the page. Raises: NotYoursToChange, and what `WebServices.head` raises."""
    head = await call.services.head(call.who, call.guid)
    if not head.may_change:
        raise NotYoursToChange(head.row.owner)
    return head
