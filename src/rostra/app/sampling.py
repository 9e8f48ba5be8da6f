"""Looks at what content processes take: now, when somebody asks, and for the records.

Records are made every half minute, and the first of a process as soon as it was seen twice: short ones have one, too,
and none says that no processor time was used because none was known. Only for what is new does anybody look in between:
a look reads a few files of every process there is.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from rostra.app.doing import Doing
from rostra.content import job_samples
from rostra.content.job_samples import Sample
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.execution.launcher import Launcher, LaunchFailed
from rostra.execution.weights import Scales, Weight
from rostra.ids import ProcessKey

log = structlog.get_logger()

LOOK_SECONDS = 5.0
EVERY = dt.timedelta(seconds=30)
FRESH = dt.timedelta(seconds=5)  # whoever asks more often is told the same


@dataclass(frozen=True, slots=True)
class Look:
    """What the launcher said at one moment."""

    at: dt.datetime
    weights: Mapping[ProcessKey, Weight]


@dataclass(frozen=True, slots=True)
class Base:
    """From where a process's next record counts."""

    at: dt.datetime
    weight: Weight
    recorded: bool


class Sampling:
    """One for each control process."""

    def __init__(self, tools: Tools, launcher: Launcher, doing: Doing | None = None) -> None:
        self._tools, self._launcher, self._doing = tools, launcher, doing or Doing()
        self._asked: Look | None = None
        self._latest: Look | None = None
        self._bases: dict[ProcessKey, Base] = {}
        self._regular: dt.datetime | None = None  # when everything was recorded last
        self._present: tuple[Sample, ...] = ()

    async def present(self) -> tuple[Sample, ...]:
        """Return what each process takes, at most ``FRESH`` old. CPU is 0 for one that was not seen before."""
        now = self._tools.clock.now()
        if self._asked is None or not dt.timedelta(0) <= now - self._asked.at < FRESH:
            look = await self._look(now)
            self._present = self._samples(look, self._asked or self._latest)
            self._asked = look
        return self._present

    async def record(self) -> int:
        """Look if need be, and write what is due; return how many samples were written.

        Called every ``LOOK_SECONDS``.
        """
        now = self._tools.clock.now()
        regular = self._regular is None or not dt.timedelta(0) <= now - self._regular < EVERY
        if not regular and not await self._anything_new():
            return 0
        look = self._latest = await self._look(now)
        if regular:
            self._regular = now
        samples = self._due(look, regular=regular)
        recorded = [ProcessKey(sample.job) for sample in samples]
        self._doing.looked({key: look.weights[key] for key in recorded})
        if not samples:
            return 0
        by_default = self._tools.settings().applications.metrics_collection_enabled
        async with transaction(self._tools.sessions) as session:
            return await job_samples.store(session, samples, by_default=by_default)

    async def _anything_new(self) -> bool:
        """Return whether something runs that has no record yet."""
        try:
            held = await self._launcher.running() if isinstance(self._launcher, Scales) else ()
        except LaunchFailed:
            held = ()
        keys = {one.key for one in held} | self._doing.working
        return any(key not in self._bases or not self._bases[key].recorded for key in keys)

    def _due(self, look: Look, *, regular: bool) -> list[Sample]:
        """Return what is to be recorded: at a regular look everything, else what is new. What ended is forgotten."""
        bases, self._bases, samples = self._bases, {}, []
        for key, weight in look.weights.items():
            base = bases.get(key)
            elapsed = look.at - base.at if base else dt.timedelta()
            if base is None or elapsed <= dt.timedelta():  # new, or the clock was set back
                self._bases[key] = Base(look.at, weight, base.recorded if base else False)
            elif base.recorded and not regular:
                self._bases[key] = base
            else:
                samples.append(self._sample(key, look, cores(weight, base.weight, elapsed.total_seconds())))
                self._bases[key] = Base(look.at, weight, recorded=True)
        return samples

    async def _look(self, now: dt.datetime) -> Look:
        """Ask the launcher. One that is away, or cannot say, has nothing running as far as this goes."""
        try:
            held = await self._launcher.weigh() if isinstance(self._launcher, Scales) else {}
        except LaunchFailed as why:
            log.debug("what processes take is not known now", why=why.message)
            held = {}
        return Look(now, {**held, **await self._doing.weigh()})

    def _samples(self, look: Look, before: Look | None) -> tuple[Sample, ...]:
        elapsed = (look.at - before.at).total_seconds() if before else 0.0
        known = before.weights if before else {}
        return tuple(
            self._sample(key, look, cores(weight, known.get(key), elapsed)) for key, weight in look.weights.items()
        )

    def _sample(self, key: ProcessKey, look: Look, cpu: float) -> Sample:
        weight = look.weights[key]
        return Sample(
            job=key,
            at=look.at,
            cpu=cpu,
            memory_bytes=weight.memory_bytes,
            processes=weight.processes,
            connections=self._tools.pools.load_of(key),
        )


def cores(now: Weight, before: Weight | None, elapsed: float) -> float:
    """Return how many cores were busy for it. Ended children may take their seconds along: never below 0."""
    used = now.cpu_seconds - before.cpu_seconds if before else 0.0
    return round(max(0.0, used) / elapsed, 4) if elapsed > 0 else 0.0
