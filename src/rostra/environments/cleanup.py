"""Which environments are in use, which belong to nobody, and which may go. Pure: no disk, no database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rostra.environments.inventory import Found, Sort, Weight

# What was used so recently is in use whatever anybody says: something may just be starting or rendering in it.
LEAST_UNUSED = dt.timedelta(hours=2)


class State(StrEnum):
    ready = "ready"
    orphan = "orphan"  # no bundle needs it
    retired = "interpreter retired"  # nothing may run in it any more, until somebody takes that back
    gone = "interpreter gone"  # nothing can run in it any more


@dataclass(frozen=True, slots=True)
class UsedBy:
    """An item that has a bundle built with an environment; ``live`` when it is what visitors get."""

    guid: str
    title: str
    live: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One environment with everything known of it. ``used_at`` is None when no use was ever written down."""

    found: Found
    state: State
    items: tuple[UsedBy, ...] = ()
    used_at: dt.datetime | None = None
    weight: Weight | None = None
    running: int = 0

    @property
    def last_use(self) -> dt.datetime:
        return max(self.used_at or self.found.created_at, self.found.created_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the rest of the server knows. ``interpreters`` are the identities of those that may be used.

    ``retired`` are those that are there and may not. ``items`` is None when it is not known what needs environments.
    ``running`` are the environments of running processes, each as often as there are processes.
    """

    interpreters: Collection[str]
    items: Mapping[str, Sequence[UsedBy]] | None
    used_at: Mapping[str, dt.datetime]
    running: Mapping[str, int]
    retired: Collection[str] = ()


def standings(found: Sequence[Found], known: Known) -> list[Standing]:
    """Return what is known of each of ``found``, in that order."""
    return [
        Standing(
            found=one,
            state=state_of(one, known),
            items=tuple((known.items or {}).get(one.key, ())),
            used_at=known.used_at.get(one.key),
            running=known.running.get(one.key, 0),
        )
        for one in found
    ]


def state_of(found: Found, known: Known) -> State:
    """Return how an environment is. An overlay belongs to its interpreter, not to items, so it is never an orphan."""
    if found.sort is Sort.environment and known.items is not None and not known.items.get(found.key):
        return State.orphan
    if found.identity in known.interpreters:
        return State.ready
    return State.retired if found.identity in known.retired else State.gone


def reapable(rows: Sequence[Standing], *, unused_for: dt.timedelta, now: dt.datetime) -> list[Standing]:
    """Return what may be removed: in use by nothing, and not used for ``unused_for`` (at least two hours).

    In use is what a process runs in, what a live bundle was built with, and what any kept bundle was built with as long
    as its interpreter is there.
    """
    before = now - max(unused_for, LEAST_UNUSED)
    return [row for row in rows if not in_use(row) and row.last_use <= before]


def in_use(row: Standing) -> bool:
    """Return whether something runs in an environment or would have to be built again without it."""
    if row.running:
        return True
    if row.state in (State.retired, State.gone):
        return any(item.live for item in row.items)
    return bool(row.items) or row.found.sort is Sort.overlay
