"""What the dashboard's pages show, as plain values. Times are aware; None means: never, or not known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How an item is doing, in the words of the list."""

    empty = "not published yet"
    building = "being built"
    ready = "ready"  # starts when somebody visits
    running = "running"
    failed = "failed"
    locked = "locked"
    gone = "runtime missing"


class Access(StrEnum):
    """Values are the wire's."""

    all = "all"
    logged_in = "logged_in"
    acl = "acl"

    @property
    def sentence(self) -> str:
        return _ACCESS[self]


_ACCESS = {
    Access.all: "Anyone may visit, without signing in.",
    Access.logged_in: "Everyone with an account on this server may visit.",
    Access.acl: "Only the owner and the people named may visit.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One line of the list. ``kind`` is for people (“Streamlit app”), ``python`` the version it runs on."""

    guid: str
    title: str
    kind: str
    owner: str
    state: State
    url: str
    python: str | None = None
    deployed_at: dt.datetime | None = None
    from_git: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemHead:
    """What every page of an item has at its top. ``rendered``: a document; ``interactive``: it has processes.

    ``may_transfer``: they may give it to somebody else, and lock it.
    """

    row: ItemRow
    may_change: bool = True
    may_transfer: bool = True
    rendered: bool = False
    interactive: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """Who was given access. ``kind`` is user or group, ``role`` viewer or owner (a collaborator), as on the wire."""

    id: str
    kind: str
    guid: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleRow:
    """``reason`` says why it runs on ``python``. ``preview_url`` is set for a bundle that can be looked at."""

    id: int
    created_at: dt.datetime
    size: int
    state: str
    live: bool = False
    created_by: str = ""
    python: str | None = None
    reason: str = ""
    preview_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessRow:
    key: str
    bundle_id: int | None
    started_at: dt.datetime
    connections: int
    room: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One rendering of a document. ``outcome``: shown, kept (an earlier one), failed or skipped.

    ``url`` is where it can be looked at, ``job`` whose log explains a failure, ``note`` what is worth saying.
    """

    at: dt.datetime
    outcome: str
    seconds: float | None = None
    url: str | None = None
    job: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentView:
    """``schedule`` is in words, empty for none. ``being_made``: a run waits or works now.

    ``job`` is that run's, by which it is stopped; ``runs`` are newest first.
    """

    schedule: str = ""
    paused: bool = False
    next_run: dt.datetime | None = None
    mailed: bool = False
    being_made: bool = False
    job: str | None = None
    runs: tuple[RunRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPage:
    """``may_change`` decides whether bundles, processes and buttons are shown at all.

    ``trouble`` is one sentence on what is wrong with the item now, ``people`` who may visit besides the owner.
    ``document`` is there for what is rendered.
    """

    row: ItemRow
    access: Access
    description: str = ""
    people: tuple[str, ...] = ()
    bundles: tuple[BundleRow, ...] = ()
    processes: tuple[ProcessRow, ...] = ()
    may_change: bool = False
    trouble: str = ""
    document: DocumentView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    key: str
    what: str  # for people: “process”, “build”, “render”
    bundle_id: int | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None = None
    exit_code: int | None = None

    @property
    def running(self) -> bool:
        return self.started_at is not None and self.ended_at is None

    @property
    def seconds(self) -> float | None:
        """How long it took, once it is over."""
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsPage:
    """``lines`` begin after line number ``after`` of the request; ``next`` is what to ask for to get only later ones.

    ``cut`` says that there is more before the first line; ``download_url`` has all of it.
    """

    guid: str
    title: str
    jobs: tuple[JobRow, ...] = ()
    chosen: JobRow | None = None
    lines: tuple[str, ...] = ()
    next: int = 0
    cut: bool = False
    download_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Progress of long work. ``error`` is empty while it runs and when it went well.

    ``guid`` is of the item it is done for, ``job`` is what ends it, for those who may.
    """

    id: str
    title: str
    guid: str | None = None
    job: str | None = None
    lines: tuple[str, ...] = ()
    next: int = 0
    finished: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeRow:
    """``state`` is active, deprecated or retired; ``why_not`` is empty for a usable one."""

    version: str
    path: str
    target: str
    implementation: str
    state: str = "active"
    why_not: str = ""
    items: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One API key of the person looking. ``role`` is what it may act as."""

    id: str
    name: str
    role: str
    created_at: dt.datetime
    used_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingRow:
    """One setting in force. ``source`` says where it came from; ``default``: nobody set it."""

    name: str
    value: str
    source: str
    default: bool


class Progress(StrEnum):
    starting = "starting"
    ready = "ready"
    failed = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Where starting an item has come to. ``position`` counts from 1 in the queue; None: it is being worked on."""

    state: Progress
    phase: str = ""
    lines: tuple[str, ...] = ()
    position: int | None = None
