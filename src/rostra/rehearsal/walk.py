"""Walks every affected item: bounded, cancellable, and going on where a crash stopped it.

Each result is stored within moments of being found, so a server that died judges only what is left. What was built
aside is written down beforehand and removed at the end, unless it is to be kept.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from packaging.version import Version

from rostra.content import builds, deploy
from rostra.content.deploy import Work
from rostra.content.disk import remove_all
from rostra.db.engine import transaction
from rostra.errors import Problem
from rostra.rehearsal import records
from rostra.rehearsal.bench import Bench
from rostra.rehearsal.ledger import Ahead, Ledger, Waiting
from rostra.rehearsal.model import (
    About,
    Built,
    Checked,
    Findings,
    Matched,
    Outcome,
    Resolved,
    Result,
    Started,
    Step,
    Verdict,
)
from rostra.rehearsal.steps import Steps
from rostra.rehearsal.target import Wish, target
from rostra.rehearsal.verdict import judge, next_plan, not_started, plan_of, worse
from rostra.runtimes.model import Policy, Runtime
from rostra.units import counted

REMEMBERED = dt.timedelta(days=1)  # what was found out yesterday is found out again: the package index has moved on
WALKERS = 4
LOOK_EVERY = 1.0  # seconds between looks whether somebody cancelled it

Say = Callable[[str], None]
OnResult = Callable[[int, int, Mapping[str, Any]], None]
"""Told (judged so far, of how many, the newest result)."""


@dataclass(slots=True)
class Walk:
    """One rehearsal under way."""

    bench: Bench
    rehearsal_id: str
    say: Say
    on_result: OnResult = lambda *_: None
    make_steps: Callable[[Bench, str, dt.datetime], Steps] = Steps
    done: int = 0
    total: int = 0
    asked: int = 0
    _steps: Steps = field(init=False)
    _wanted: tuple[Step, ...] = ()
    _wish: Wish = field(init=False)

    async def run(self) -> str:
        """Judge what is left to judge; return the state it ended in, ``done`` or ``cancelled``."""
        tools = self.bench.tools
        async with transaction(tools.sessions) as session:
            told = await records.get(session, self.rehearsal_id)
            if not await records.enter(session, told.id, "running"):
                return told.state
            left = await records.waiting(session, told.id)
            counted = await records.counts(session, told.id)
            self._wanted = self.bench.possible(tuple(Step(step) for step in told.steps))
            if left:  # whoever asks whether a version may be retired has to see that nothing was started
                told.steps = [step.value for step in self._wanted]
        self._wish = Wish(tuple(told.retire), told.onto)
        since = told.created_at - (dt.timedelta() if told.fresh else REMEMBERED)
        self._steps = self.make_steps(self.bench, told.id, since)
        self.total = sum(counted.values())
        self.done = self.total - len(left)
        self._begin(left)
        cancelled = await self._all(left)
        self.asked = self._steps.asked
        await self._tidy(keep=told.keep and not cancelled)
        state = "cancelled" if cancelled else "done"
        async with transaction(tools.sessions) as session:
            await records.enter(session, told.id, state, tools.clock.now())
            self.say(summary(await records.counts(session, told.id)))
        return state

    def _begin(self, left: list[str]) -> None:
        words = ", ".join(self._wish.retire)
        if self.done:
            self.say(f"Going on: {self.done} of {self.total} items were judged before")
        self.say(
            f"{counted(self.total, 'item')} on Python {words}; steps: {', '.join(self._wanted)}; {len(left)} to go"
        )
        if not self.bench.may_build:
            self.say("A server works on this data folder, so nothing is built or started here: ask that server")

    async def _all(self, left: list[str]) -> bool:
        """Return whether somebody cancelled it. What was judged by then is stored."""
        ahead = Ahead(self.bench, self.rehearsal_id, self._wish, left, self._gone)
        ledger = Ledger(self.bench, self.rehearsal_id, self._stored)
        cancelled = False

        async def work() -> None:
            while (waiting := await ahead.next()) is not None:
                result = await self._one(waiting, ahead)
                if result is not None:
                    ledger.add(result)

        async def watch(walkers: asyncio.Task[None]) -> None:
            nonlocal cancelled
            while True:
                await asyncio.sleep(LOOK_EVERY)
                async with transaction(self.bench.tools.reading) as session:
                    state = await records.state_of(session, self.rehearsal_id)
                if state not in records.RUNNING:
                    cancelled = True
                    walkers.cancel()
                    return

        async def walk() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(WALKERS, len(left))):
                    group.create_task(work())

        async with asyncio.TaskGroup() as group:
            group.create_task(ledger.keep())
            walkers = group.create_task(walk())
            watching = group.create_task(watch(walkers))
            await asyncio.wait((walkers,))
            watching.cancel()
            ledger.close()
        return cancelled

    async def _one(self, waiting: Waiting, ahead: Ahead) -> Mapping[str, Any] | None:
        """Return the result of one item, None when it went meanwhile."""
        begun = asyncio.get_running_loop().time()
        found, verdict = await self._judged(waiting)
        if found.matched == Matched():  # it may have been deleted or published anew since it was read
            now = await ahead.again(waiting.about.guid)
            if now is None:
                return None
            if now.about.bundle_id != waiting.about.bundle_id:
                waiting = now
                found, verdict = await self._judged(waiting)
        seconds = asyncio.get_running_loop().time() - begun
        return Result(about=waiting.about, findings=found, verdict=verdict, seconds=seconds).to_json()

    def _gone(self, number: int) -> None:
        self.total -= number

    def _stored(self, result: Mapping[str, Any]) -> None:
        self.done += 1
        self.say(f"[{self.done}/{self.total}] {result['title']}: {result['outcome']} - {result['reason']}")
        self.on_result(self.done, self.total, result)

    async def _judged(self, waiting: Waiting) -> tuple[Findings, Verdict]:
        work = waiting.work
        if isinstance(work, Problem):
            return _unusable(work)
        try:
            await deploy.unpacked(work, self.bench.tools)
        except Problem as why:
            return _unusable(why)
        found = await self._findings(work, waiting.about)
        return found, judge(found)

    async def _findings(self, work: Work, about: About) -> Findings:
        tools = self.bench.tools
        runtimes = tools.runtimes()
        policy = Policy(tools.settings().python.version_matching)
        matched = target(builds.request(work.manifest), policy, Version(about.version), runtimes, self._wish)
        to = _runtime(matched, runtimes)
        if matched.forbidden or to is None:
            return Findings(matched=matched)
        resolved: Resolved | None = None
        built: Built | None = None
        started: Started | None = None
        checked: Checked | None = None
        if Step.resolve in self._wanted:
            resolved = await self._steps.resolved(work, to)
        if Step.static in self._wanted:
            checked = await self._steps.checked(work, to)
        if Step.build in self._wanted and resolved and resolved.plans:
            built = await self._steps.built(work, to, resolved)
        if Step.start in self._wanted and built and built.plan is not None:
            started = await self._steps.started(work, to, built)
        found = Findings(matched=matched, resolved=resolved, built=built, started=started, checked=checked)
        return await self._further(work, to, found)

    async def _further(self, work: Work, to: Runtime, found: Findings) -> Findings:
        """Return what the first further plan that starts gives, when the one that was built does not start."""
        first = tried = self._with_provided(work, found)
        while (number := next_plan(tried)) is not None:
            assert found.resolved is not None
            built = await self._steps.built(work, to, found.resolved, number)
            if built.plan is None:
                break
            started = await self._steps.started(work, to, built)
            tried = self._with_provided(work, replace(found, built=built, started=started))
            if not worse(started):
                return replace(tried, built=replace(built, reason=not_started(first)))
        return first

    def _with_provided(self, work: Work, found: Findings) -> Findings:
        if found.checked is None:
            return found
        return replace(found, checked=self._steps.provided(work, found.checked, plan_of(found), found.built))

    async def _tidy(self, *, keep: bool) -> None:
        tools = self.bench.tools
        async with transaction(tools.reading) as session:
            useful = {_kept(each) for each in await records.results(session, self.rehearsal_id)} if keep else set()
            going = await records.to_reap(session, self.rehearsal_id, useful)
        for key in going:
            if await self.bench.store.remove(key):
                self.say(f"Removed environment {key}, built for this rehearsal")
        async with transaction(tools.sessions) as session:
            await records.forget_built(session, self.rehearsal_id)
        await remove_all((self.bench.folder / self.rehearsal_id,))


def _kept(result: dict[str, Any]) -> str:
    """Return the environment a redeploy would use; one for an edited file is nobody's yet."""
    wanted = result["outcome"] in (Outcome.safe, Outcome.new_pins) and not result["edits"]
    return str(result["built_key"]) if wanted else ""


def _runtime(matched: Matched, runtimes: Sequence[Runtime]) -> Runtime | None:
    same = [each for each in runtimes if str(each.version) == matched.to]
    return next((each for each in same if str(each.executable) == matched.path), same[0] if same else None)


def _unusable(why: Problem) -> tuple[Findings, Verdict]:
    found = Findings(matched=Matched())
    verdict = Verdict(
        outcome=Outcome.impossible,
        depth=Step.match,
        decided_by=Step.match,
        reason=f"It cannot be rehearsed: {why.message}",
        action=why.hint or "Publish it again.",
    )
    return found, verdict


def summary(counted: dict[str, int]) -> str:
    """Return ``12 safe, 3 new-pins, 1 needs-work, 0 impossible`` as one line."""
    told = ", ".join(f"{counted.get(outcome, 0)} {outcome.value}" for outcome in Outcome)
    return told + (f", {counted['waiting']} not judged" if counted.get("waiting") else "")
