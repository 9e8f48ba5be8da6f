"""Writes down what the pools do: a job's record for each process, and the end of the key it was given."""

from __future__ import annotations

from collections.abc import Callable

from rostra.auth import keys
from rostra.clock import Clock
from rostra.content import items, job_records
from rostra.content.places import Places
from rostra.content.tables import Bundle
from rostra.db.engine import Sessions, transaction
from rostra.execution.launcher import Launch, Running
from rostra.execution.pool import Member
from rostra.ids import PoolKey, ProcessKey
from rostra.kinds.registry import by_name


class Journal:
    """The pools' callbacks. ``listener`` is told of every change of a pool; it is set once there is one."""

    def __init__(self, sessions: Sessions, places: Places, clock: Clock) -> None:
        self._sessions, self._places, self._clock = sessions, places, clock
        self.listener: Callable[[PoolKey, tuple[Member, ...], int], None] = lambda *_: None

    def changed(self, key: PoolKey, members: tuple[Member, ...], comfort: int) -> None:
        self.listener(key, members, comfort)

    async def started(self, launch: Launch, running: Running, _pool: PoolKey | None) -> None:
        async with transaction(self._sessions) as session:
            item = await items.find(session, launch.labels.get("item", ""))
            bundle = await session.get(Bundle, int(launch.labels.get("bundle", "0")))
            if item is None or bundle is None:
                return
            await job_records.begin(
                session,
                item.id,
                by_name(bundle.kind).job_tag,
                self._clock.now(),
                key=launch.key,
                bundle_id=bundle.id,
                pid=running.pid,
                log=str(launch.log.relative_to(self._places.data_dir)),
            )

    async def ended(self, key: ProcessKey, code: int, asked: bool) -> None:
        error = None if asked or code == 0 else f"The process ended by itself with status {code}."
        async with transaction(self._sessions) as session:
            await keys.revoke_for_process(session, key)
            await job_records.end(session, key, self._clock.now(), exit_code=code, error=error)
