"""Searching content: words and ``field:value`` filters, read from one line of text.

A filter that cannot be understood is left out and named in a warning; a search never fails for what it asks.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth.principals import Principal
from rostra.auth.tables import User
from rostra.content.access import Access, Grant, visible_to
from rostra.content.errors import shown
from rostra.content.tables import Bookmark, Bundle, Item, ItemTag, Permission, Tag
from rostra.kinds.kind import Mode
from rostra.kinds.registry import ALL

LONGEST = 2000  # characters of a search that are read
MOST_TERMS = 50
_TERM = re.compile(r'(?:(?P<field>[A-Za-z_]+):)?(?P<value>(?:"[^"]*"|[^\s"])+|"[^"]*$)')
_APIS = frozenset(kind.name for kind in ALL.values() if kind.api)
TYPES: Mapping[str, frozenset[str]] = {
    "api": _APIS,
    "app": frozenset(kind.name for kind in ALL.values() if kind.mode is Mode.interactive) - _APIS,
    "document": frozenset(kind.name for kind in ALL.values() if kind.mode is Mode.rendered),
    "site": frozenset({"static"}),
}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Term:
    """A word (``field`` empty) or a filter with the values any of which will do."""

    field: str
    values: tuple[str, ...]


class _NotUnderstood(Exception):
    """The filter is left out; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what was found. ``warnings`` name the filters that were left out."""

    items: Sequence[Item]
    total: int
    warnings: Sequence[str]


def parse(text: str) -> list[Term]:
    """Return the terms of a search. Quotes keep spaces and colons together; commas separate a filter's values.

    >>> parse('sales owner:@me type:api,"python-dash"')
    [Term(field='', values=('sales',)), Term(field='owner', values=('@me',)), Term(field='type', \
values=('api', 'python-dash'))]
    """
    terms = []
    for found in _TERM.finditer(text[:LONGEST]):
        field, value = (found["field"] or "").lower(), found["value"]
        if field and field in FILTERS:
            values = tuple(part.replace('"', "") for part in _split(value))
            terms.append(Term(field, tuple(part for part in values if part)))
        else:
            word = f"{found['field']}:{value}" if field else value
            terms.append(Term("", (word.replace('"', ""),)))
    return [term for term in terms if term.field or term.values[0]][:MOST_TERMS]


def _split(value: str) -> list[str]:
    return re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', value)


def conditions(terms: Sequence[Term], who: Principal, *, others: bool = True) -> tuple[list[Condition], list[str]]:
    """Return what an item must fulfil, and the warnings.

    Without ``others`` nothing can be found out about what other people were given.
    """
    found: list[Condition] = []
    warnings: list[str] = []
    for term in terms:
        if not term.field:
            found.append(_word(term.values[0]))
            continue
        kept = []
        for value in term.values or ("",):
            try:
                if not others and term.field in _OF_PEOPLE and value.lower() not in ("@me", who.username.lower()):
                    raise _NotUnderstood("this server shows you nobody but yourself")
                kept.append(FILTERS[term.field](value, who))
            except _NotUnderstood as why:
                warnings.append(f"{term.field}:{shown(value, 60)[1:-1]} was left out: {why}")
        if kept:
            found.append(sa.or_(*kept))
    return found, warnings


async def search(
    session: AsyncSession,
    who: Principal,
    text: str,
    *,
    others: bool = True,
    sort: str,
    ascending: bool,
    page: int,
    size: int,
) -> Found:
    """Return page ``page`` (from 1) of what this person may know of and that fits the text; ``others`` as above."""
    wanted, warnings = conditions(parse(text), who, others=others)
    if sort and sort not in SORTS:
        warnings.append(f"sort={shown(sort, 60)[1:-1]} was left out: sort by one of {', '.join(SORTS)}")
    query = sa.select(Item).join(User, User.id == Item.owner_id).where(visible_to(who), *wanted)
    total = (await session.execute(sa.select(sa.func.count()).select_from(query.subquery()))).scalar_one()
    column = SORTS.get(sort, SORTS["last_deployed_time"])
    order = (column.asc(), Item.id.asc()) if ascending else (column.desc(), Item.id.desc())
    rows = await session.execute(query.order_by(*order).limit(size).offset((page - 1) * size))
    return Found(items=rows.scalars().all(), total=total, warnings=warnings)


def _word(word: str) -> Condition:
    texts = (Item.name, Item.title, Item.description, Item.guid, User.username, User.first_name, User.last_name)
    tagged = (
        sa.select(ItemTag.item_id)
        .join(Tag, Tag.id == ItemTag.tag_id)
        .where(ItemTag.item_id == Item.id, Tag.name.icontains(word, autoescape=True))
        .correlate(Item)
    )
    return sa.or_(*(text.icontains(word, autoescape=True) for text in texts), tagged.exists())


def _owner(value: str, who: Principal) -> Condition:
    if value == "@me":
        return Item.owner_id == who.user_id
    return sa.or_(sa.func.lower(User.username) == value.lower(), User.guid == value.lower())


def _given(role: Grant) -> Callable[[str, Principal], Condition]:
    def condition(value: str, who: Principal) -> Condition:
        person = sa.select(User.id).where(sa.func.lower(User.username) == value.lower()).correlate(None)
        mine = Permission.user_id == who.user_id if value == "@me" else Permission.user_id.in_(person)
        rows = sa.select(Permission.id).where(Permission.item_id == Item.id, Permission.role == role, mine)
        return rows.correlate(Item).exists()

    return condition


def _type(value: str, who: Principal) -> Condition:  # noqa: ARG001
    name = value.lower()
    names = TYPES.get(name, frozenset({name}) & {*ALL, "unknown"})
    if not names:
        raise _NotUnderstood(f"types are {', '.join(TYPES)} and the app modes")
    return Item.kind.in_(names)


def _tag(value: str, who: Principal) -> Condition:  # noqa: ARG001
    rows = sa.select(ItemTag.item_id).join(Tag, Tag.id == ItemTag.tag_id)
    named = rows.where(ItemTag.item_id == Item.id, sa.func.lower(Tag.name) == value.lower())
    return named.correlate(Item).exists()


def _is(value: str, who: Principal) -> Condition:
    known: Mapping[str, Condition] = {
        "published": Item.live_bundle_id.is_not(None),
        "unpublished": Item.live_bundle_id.is_(None),
        "locked": Item.locked.is_(True),
        "unlocked": Item.locked.is_(False),
        "public": Item.access_type == Access.all,
        "bookmarked": sa.select(Bookmark.item_id)
        .where(Bookmark.item_id == Item.id, Bookmark.user_id == who.user_id)
        .correlate(Item)
        .exists(),
    }
    if value.lower() not in known:
        raise _NotUnderstood(f"content is {', '.join(known)}")
    return known[value.lower()]


def _flag(condition: Condition) -> Callable[[str, Principal], Condition]:
    def chosen(value: str, who: Principal) -> Condition:  # noqa: ARG001
        if value.lower() not in _TRUTH:
            raise _NotUnderstood("say true or false")
        return condition if _TRUTH[value.lower()] else sa.not_(condition)

    return chosen


def _access(value: str, who: Principal) -> Condition:  # noqa: ARG001
    if value not in tuple(Access):
        raise _NotUnderstood(f"access is one of {', '.join(Access)}")
    return Item.access_type == value


def _python(value: str, who: Principal) -> Condition:  # noqa: ARG001
    if not re.fullmatch(r"[0-9]+(\.[0-9]+){0,2}", value):
        raise _NotUnderstood("name a version, such as 3.11")
    rows = sa.select(Bundle.id).where(
        Bundle.id == Item.live_bundle_id,
        sa.or_(Bundle.runtime_version == value, Bundle.runtime_version.startswith(f"{value}.", autoescape=True)),
    )
    return rows.correlate(Item).exists()


def _moment(*, before: bool) -> Callable[[str, Principal], Condition]:
    def condition(value: str, who: Principal) -> Condition:  # noqa: ARG001
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError as why:
            raise _NotUnderstood("name a day, such as 2026-03-01") from why
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        deployed = sa.func.coalesce(Item.deployed_at, Item.created_at)
        return deployed < moment if before else deployed >= moment

    return condition


def _text(column: Any) -> Callable[[str, Principal], Condition]:
    return lambda value, who: column.icontains(value, autoescape=True)  # noqa: ARG005


FILTERS: Mapping[str, Callable[[str, Principal], Condition]] = {
    "owner": _owner,
    "collaborator": _given(Grant.owner),
    "viewer": _given(Grant.viewer),
    "type": _type,
    "tag": _tag,
    "is": _is,
    "published": _flag(Item.live_bundle_id.is_not(None)),
    "locked": _flag(Item.locked.is_(True)),
    "access": _access,
    "python": _python,
    "before": _moment(before=True),
    "after": _moment(before=False),
    "name": _text(Item.name),
    "title": _text(Item.title),
    "guid": lambda value, who: Item.guid == value.lower(),  # noqa: ARG005
    "id": lambda value, who: sa.cast(Item.id, sa.String) == value,  # noqa: ARG005
}
_OF_PEOPLE = frozenset(("collaborator", "viewer"))
SORTS = {
    "last_deployed_time": sa.func.coalesce(Item.deployed_at, Item.created_at),
    "created_time": Item.created_at,
    "name": sa.func.lower(Item.name),
    "title": sa.func.lower(sa.func.coalesce(Item.title, Item.name)),
    "owner": sa.func.lower(User.username),
}
