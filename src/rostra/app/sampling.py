"""Looks at what content processes take: now, when somebody asks, and every half minute for the records."""

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

EVERY_SECONDS = 30.0
FRESH = dt.timedelta(seconds=5)  # whoever asks more often is told the same


@dataclass(frozen=True, slots=True)
class Look:
    """What the launcher said at one moment."""

    at: dt.datetime
    weights: Mapping[ProcessKey, Weight]


class Sampling:
    """One for each control process."""

    def __init__(self, tools: Tools, launcher: Launcher, doing: Doing | None = None) -> None:
        self._tools, self._launcher, self._doing = tools, launcher, doing or Doing()
        self._asked: Look | None = None
        self._recorded: Look | None = None
        self._present: tuple[Sample, ...] = ()

    async def present(self) -> tuple[Sample, ...]:
        """Return what each process takes, at most ``FRESH`` old. CPU is 0 for one that was not seen before."""
        now = self._tools.clock.now()
        if self._asked is None or not dt.timedelta(0) <= now - self._asked.at < FRESH:
            look = await self._look(now)
            self._present = self._samples(look, self._asked or self._recorded)
            self._asked = look
        return self._present

    async def record(self) -> int:
        """Look, and write what was seen since the last time; return how many samples were written."""
        look = await self._look(self._tools.clock.now())
        samples, self._recorded = self._samples(look, self._recorded), look
        self._doing.looked(look.weights)
        if not samples:
            return 0
        by_default = self._tools.settings().applications.metrics_collection_enabled
        async with transaction(self._tools.sessions) as session:
            return await job_samples.store(session, samples, by_default=by_default)

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
            Sample(
                job=key,
                at=look.at,
                cpu=cores(weight, known.get(key), elapsed),
                memory_bytes=weight.memory_bytes,
                processes=weight.processes,
                connections=self._tools.pools.load_of(key),
            )
            for key, weight in look.weights.items()
        )


def cores(now: Weight, before: Weight | None, elapsed: float) -> float:
    """Return how many cores were busy for it. Ended children may take their seconds along: never below 0."""
    used = now.cpu_seconds - before.cpu_seconds if before else 0.0
    return round(max(0.0, used) / elapsed, 4) if elapsed > 0 else 0.0
