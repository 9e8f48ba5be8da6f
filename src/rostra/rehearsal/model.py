"""The words of a rehearsal: steps, what each of them found for one item, and the result. Plain values.

Everything a step finds can be written as JSON and read again: findings are kept and shared between items.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from typing_extensions import TypedDict

from rostra.wire import Guid, Time, one_of


class Outcome(StrEnum):
    safe = "safe"  # same packages, starts and answers as today
    new_pins = "new-pins"  # only with newer packages
    needs_work = "needs-work"  # installs, but the code or a package does not start or answer
    impossible = "impossible"  # cannot be installed at all


class Step(StrEnum):
    """In the order of the ladder: each costs more, or asks more, than the one before."""

    match = "match"
    resolve = "resolve"
    build = "build"
    start = "start"
    static = "static"


LADDER = tuple(Step)


def up_to(deepest: Step) -> tuple[Step, ...]:
    """Return the steps of the ladder up to and including ``deepest``.

    >>> [step.value for step in up_to(Step.build)]
    ['match', 'resolve', 'build']
    """
    return LADDER[: LADDER.index(deepest) + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One package whose version differs: empty ``before`` is new, empty ``after`` is not needed any more."""

    name: str
    before: str
    after: str

    def to_json(self) -> MovedPackageJson:
        return {"name": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way to install the packages for the new interpreter.

    ``edits`` are lines of the author's own file that have to be changed for it: (line, line to write instead).
    ``pins`` is everything that would be installed, ``name==version``. ``moved`` compares with today. ``source`` names
    packages that have no wheel and must be built; ``compiled`` those of them that hold compiled code today.
    """

    edits: tuple[tuple[str, str], ...] = ()
    pins: tuple[str, ...] = ()
    moved: tuple[Moved, ...] = ()
    source: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()

    @property
    def newer(self) -> bool:
        """Whether a package would have another version than today; one that is added or dropped is no change."""
        return bool(self.edits) or any(each.before and each.after for each in self.moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """``plans`` best first. ``reason`` says what stands in the way of the same packages, or of any."""

    plans: tuple[Plan, ...] = ()
    reason: str = ""
    package: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """``plan`` is the number of the plan that could be built, None when none could. ``key`` names the environment.

    ``reason`` says why none could, or why an earlier plan is not used.
    """

    plan: int | None = None
    key: str = ""
    reason: str = ""
    package: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How content did on one interpreter. ``status`` is of its first page, None for a document or when it never came.

    ``where`` is ``app.py:12``, in the item's own files when the failure passed through them. ``ran`` is False when
    only its framework was started and not its own code; ``unseen`` says in a sentence what was not exercised.
    """

    good: bool
    status: int | None = None
    reason: str = ""
    where: str = ""
    lines: tuple[str, ...] = ()
    ran: bool = True
    unseen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """``today`` is None when it was not asked, or could not be."""

    then: Answer
    today: Answer | None = None


class Weight(StrEnum):
    breaks = "breaks"  # this line does not work on the new interpreter
    maybe = "maybe"  # guarded by the author, or in a file that nothing imports
    note = "note"  # a warning


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something about one line of the item's own code. ``module`` is the top-level module that is gone, if one is."""

    file: str
    line: int
    text: str
    weight: Weight = Weight.breaks
    module: str = ""
    lazy: bool = False  # only when a function is called

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    remarks: tuple[Remark, ...] = ()
    files: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """``to`` is the version that would be used, "" when there is none; ``reason`` says why, in one sentence.

    ``forbidden`` says which of the item's own wishes stands against it.
    """

    to: str = ""
    path: str = ""
    reason: str = ""
    forbidden: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What every step found for one item. None: the step was not wanted, or not reached."""

    matched: Matched
    resolved: Resolved | None = None
    built: Built | None = None
    started: Started | None = None
    checked: Checked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """``depth`` is the deepest step that was carried out, ``decided_by`` the one that settled it."""

    outcome: Outcome
    depth: Step
    decided_by: Step
    reason: str
    action: str
    where: str = ""
    broken_today: bool = False
    plan: Plan | None = None
    notes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The item itself.

    ``use`` has ``visits_30d``, and ``deployed_at``, ``started_at``, ``visited_at`` (RFC 3339 or None; the last within
    these 30 days).
    """

    guid: str
    name: str
    title: str
    kind: str
    bundle_id: int
    owner: RehearsedOwnerJson
    use: RehearsedUseJson
    version: str
    path: str
    environment_key: str
    url: str = ""


class MovedPackageJson(TypedDict):
    name: str
    before: str
    after: str


class RehearsedOwnerJson(TypedDict):
    guid: Guid
    username: str
    name: str
    email: str
    locked: bool


class RehearsedUseJson(TypedDict):
    """The last visit is one of these 30 days."""

    visits_30d: int
    deployed_at: Time | None
    started_at: Time | None
    visited_at: Time | None


_Moves = TypedDict("_Moves", {"from": str, "to": str | None})


class RehearsedItemJson(_Moves):
    """What was found out of one item. ``outcome`` was decided by the step ``decided_by``; ``depth`` is the last one."""

    guid: Guid
    name: str
    title: str
    outcome: Annotated[str, one_of(Outcome)]
    depth: Annotated[str, one_of(Step)]
    decided_by: Annotated[str, one_of(Step)]
    reason: str
    where: str
    action: str
    match: str
    broken_today: bool
    changed: list[MovedPackageJson]
    added: list[str]
    dropped: list[str]
    edits: list[list[str]]
    from_source: list[str]
    pins: list[str]
    notes: list[str]
    lines: list[str]
    kind: str
    url: str
    owner: RehearsedOwnerJson
    use: RehearsedUseJson
    bundle_id: int
    environment_key: str
    built_key: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One line of the report."""

    about: About
    findings: Findings
    verdict: Verdict
    seconds: float = 0.0

    def to_json(self) -> RehearsedItemJson:
        about, verdict, matched = self.about, self.verdict, self.findings.matched
        plan = verdict.plan or Plan()
        return {
            "guid": about.guid,
            "name": about.name,
            "title": about.title or about.name,
            "outcome": verdict.outcome.value,
            "depth": verdict.depth.value,
            "decided_by": verdict.decided_by.value,
            "reason": verdict.reason,
            "where": verdict.where,
            "action": verdict.action,
            "from": about.version,
            "to": matched.to or None,
            "match": matched.reason or matched.forbidden,
            "broken_today": verdict.broken_today,
            "changed": [each.to_json() for each in plan.moved if each.before and each.after],
            "added": [f"{each.name}=={each.after}" for each in plan.moved if not each.before],
            "dropped": [f"{each.name}=={each.before}" for each in plan.moved if not each.after],
            "edits": [list(pair) for pair in plan.edits],
            "from_source": list(plan.source),
            "pins": list(plan.pins),
            "notes": list(verdict.notes),
            "lines": list(verdict.lines),
            "kind": about.kind,
            "url": about.url,
            "owner": about.owner,
            "use": about.use,
            "bundle_id": about.bundle_id,
            "environment_key": about.environment_key,
            "built_key": self.findings.built.key if self.findings.built else "",
            "seconds": round(self.seconds, 2),
        }
