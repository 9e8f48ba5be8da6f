"""Mails owners their own part of a rehearsal, once for each person and rehearsal. Nobody here commits.

What was moved, deleted or handed to somebody else since the rehearsal is looked up again: nobody is asked to do what
is done, and nobody reads about content that is not theirs any more.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.version import Version
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from rostra.config.sections import Settings
from rostra.errors import Conflict
from rostra.mail import letters, outbox
from rostra.mail.letters import Change, Group
from rostra.mail.message import BadAddress
from rostra.rehearsal import records
from rostra.rehearsal.model import Outcome
from rostra.rehearsal.report import TITLES, WORST_FIRST, Item, by_owner, ordered
from rostra.rehearsal.target import Wish
from rostra.rendering import delivery
from rostra.runtimes import lifecycle
from rostra.runtimes.model import RuntimeState


class MailIsOff(Conflict):
    """This server sends no mail, so nobody can be told by it."""

    code = "mail-is-off"

    def __init__(self) -> None:
        super().__init__(
            "this server does not send mail, so nobody was told",
            hint="Set [Server] EmailProvider and SenderEmail, or write pages with --pages DIR and send them yourself.",
        )


class RehearsalUnfinished(Conflict):
    """Items are moved, and owners told, only once every item has been judged."""

    code = "rehearsal-unfinished"

    def __init__(self, state: str) -> None:
        super().__init__(f"the rehearsal is {state}", hint="Wait until it is done, or rehearse again.")


class NotifiedOwnersJson(TypedDict):
    """User names."""

    mailed: list[str]
    before: list[str]
    unreachable: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notified:
    """User names. ``before``: told of this rehearsal already. ``unreachable``: locked, or without a usable address."""

    mailed: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()

    def to_json(self) -> NotifiedOwnersJson:
        return {"mailed": list(self.mailed), "before": list(self.before), "unreachable": list(self.unreachable)}


def require_mail(settings: Settings) -> None:
    """Raises: MailIsOff."""
    if not delivery.is_on(settings):
        raise MailIsOff


async def notify(session: AsyncSession, rehearsal_id: str, settings: Settings, now: dt.datetime) -> Notified:
    """Put a mail into the outbox for each owner who has something to do.

    Raises:
        MailIsOff, NoSuchRehearsal, RehearsalUnfinished
    """
    require_mail(settings)
    told = await records.get(session, rehearsal_id)
    if told.state != "done":
        raise RehearsalUnfinished(told.state)
    found = {str(each["guid"]): each for each in await records.results(session, told.id)}
    wish = Wish(tuple(told.retire), told.onto)
    current = await records.about(session, list(found), "", now)
    left = [
        {**found[guid], "owner": dict(about.owner)} for guid, about in current.items() if wish.retires(about.version)
    ]
    day = retired_on(settings, [str(each["from"]) for each in left], now)
    mailed: list[str] = []
    before: list[str] = []
    unreachable: list[str] = []
    for name, own in by_owner(left).items():
        owner = own[0]["owner"]
        letter = letters.retiring(
            server=settings.server.system_display_name,
            owner=str(owner["name"]),
            versions=wish.retire,
            day=day,
            rehearsed=told.created_at,
            groups=groups(own),
        )
        try:
            key = f"rehearsal/{told.id}/{owner['guid']}"
            address = "" if owner["locked"] else str(owner["email"])
            new = await outbox.post(session, key, address, letter, sender=settings.server.sender_email, now=now)
        except BadAddress:
            unreachable.append(name)
        else:
            (mailed if new else before).append(name)
    return Notified(mailed=tuple(mailed), before=tuple(before), unreachable=tuple(unreachable))


def groups(items: Sequence[Item]) -> list[Group]:
    """Return one owner's items as a letter shows them, worst first."""
    made = []
    for outcome in WORST_FIRST:
        own = [_change(each) for each in ordered(items) if each["outcome"] == outcome]
        if own:
            made.append(Group(*TITLES[outcome], tuple(own)))
    return made


def _change(item: Mapping[str, Any]) -> Change:
    where = str(item["where"])
    return Change(
        title=str(item["title"]),
        url=str(item["url"]),
        before=str(item["from"]),
        after=str(item["to"] or ""),
        visits=int(item["use"].get("visits_30d") or 0),
        reason="" if item["outcome"] == Outcome.safe else str(item["reason"]),
        where=where if where not in item["reason"] else "",
        action="" if item["outcome"] == Outcome.safe else str(item["action"]),
        edits=tuple((str(old), str(new)) for old, new in item["edits"]),
    )


def retired_on(settings: Settings, versions: Sequence[str], now: dt.datetime) -> dt.date | None:
    """Return the first day on which one of these versions is retired by the settings; None when none is announced."""
    rules = lifecycle.rules_of(settings.python)
    turns = [lifecycle.next_turn(Version(version), rules, now) for version in set(versions)]
    return min((turn.day for turn in turns if turn and turn.state is RuntimeState.retired), default=None)
