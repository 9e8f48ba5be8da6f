"""Environments on disk: found by key, or built once however many ask at the same time.

Promises that an environment is ready or absent: it is built in a scratch place and renamed, and what a crash leaves is
scratch, which ``reconcile`` removes.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import anyio

from rostra.clock import Clock, SystemClock
from rostra.environments import lock, parts, record, requirements, uv
from rostra.environments.build import Built, build
from rostra.environments.errors import InstallFailed
from rostra.environments.flights import Flight, Flights, Listener
from rostra.environments.folders import SCRATCH, leftovers, publish, scratch, write_new
from rostra.environments.installed import Installed
from rostra.environments.keeping import Keeping
from rostra.environments.key import environment_key
from rostra.environments.record import Ready
from rostra.environments.requirements import Requirements
from rostra.environments.site import Say, Site, Tools
from rostra.environments.spec import Environment, EnvironmentSpec, Package
from rostra.environments.turns import Place, Turns, nobody
from rostra.environments.unpacked import Unfit, Unpacked
from rostra.ids import new_key
from rostra.runtimes.model import Runtime
from rostra.trees import remove_tree

_UNMANAGED = "unmanaged"


class Store:
    """The environments below ``folder``, ``{X.Y.Z}/{key}/`` each. One process at a time builds and removes there."""

    def __init__(
        self,
        tools: Tools,
        *,
        folder: Path | None = None,
        installer: str = "uv",
        build_concurrency: int = 2,
        keep_unpacked: bool = True,
        clock: Clock | None = None,
    ) -> None:
        self.tools = tools
        self.folder = folder or tools.data_dir / "environments" / "python"
        self._installer = installer
        self._clock = clock or SystemClock()
        self._turns = Turns(build_concurrency)
        self._flights = Flights()
        self._unpacked = Unpacked(tools.data_dir / "unpacked")
        self._keeping = Keeping(self._unpacked)
        self._keeps = keep_unpacked

    async def ensure(
        self, spec: EnvironmentSpec, say: Say, *, place: Place = nobody, patient: bool = False
    ) -> Environment:
        """Return the environment for ``spec``, building it when it is not there. ``say`` gets progress, line by line.

        ``place`` hears the place in the queue of builds; ``patient`` lets all others go first.

        Safe to call any number of times at once; equal needs are built once. Cancelling a caller that builds ends its
        programs; another one that waits takes over.

        Raises:
            BadRequirement: a line of the requirements cannot be understood or leads out of the bundle.
            InstallFailed: the packages cannot be installed.
        """
        if not spec.managed:
            say("Packages are not managed for this content: the interpreter is used as it stands")
            return _as_it_stands(spec.runtime)
        wanted = await anyio.to_thread.run_sync(read_requirements, spec)
        for note in wanted.notes:
            say(note)
        installer = chosen_installer(self._installer, spec.allow_uv)
        key = await self._key(spec, wanted, installer)
        wanted = wanted.pinned(spec.pins)
        if ready := self._at(spec.runtime, key):
            say(f"Environment {key} is there already and is shared")
            return ready
        with self._flights.aboard(key, Listener(say, place, patient)) as flight:
            self._turns.hurry(key, patient=flight.patient)
            async with flight.lock:
                if ready := self._at(spec.runtime, key):
                    say(f"Environment {key} was built meanwhile and is shared")
                    return ready
                if flight.failure is not None:
                    raise flight.failure
                if (
                    self._keeps
                    and installer == uv.NAME
                    and (ready := await self._put_together(key, spec, wanted, flight.say))
                ):
                    return ready
                return await self._fly(flight, key, spec, wanted, installer)

    async def _put_together(
        self, key: str, spec: EnvironmentSpec, wanted: Requirements, say: Say
    ) -> Environment | None:
        """Return the environment put together from packages that are known; None when the installer has to do it."""
        unpacked, index = self._unpacked, self.tools.index.with_options(wanted.options)
        final = self.folder / str(spec.runtime.version) / key

        def work(place: Path) -> Environment:
            parts = unpacked.choose(spec.runtime, index, wanted)
            links = unpacked.assemble(spec.runtime, index, parts, place / "env")
            packages = [Package(part.name, part.version) for part in parts if part.version]
            found = [Installed(package) for package in packages]
            hashes = {part.name: part.hashes for part in parts}
            text = lock.render(found, hashes, heading=lock.heading(uv.NAME, spec.runtime))
            size = sum(part.size for part in parts)
            built = Built(uv.NAME, tuple(packages), text, size, links=links)
            return self._publish(place / "env", spec.runtime, built, final)

        with contextlib.suppress(Unfit):
            async with scratch(self.tools.yard) as place:
                made = await anyio.to_thread.run_sync(work, place)
            count = len(made.packages)
            say(f"Environment {key} is ready: {count} packages that are known, for Python {spec.runtime.version}")
            return made
        return None

    async def settled(self) -> None:
        """Wait until everything that goes on behind the last answers has ended."""
        await self._keeping.settled()

    async def _fly(
        self, flight: Flight, key: str, spec: EnvironmentSpec, wanted: Requirements, installer: str
    ) -> Environment:
        try:
            return await self._build(key, spec, wanted, flight, installer)
        except InstallFailed as why:
            if not spec.pins:  # who waits did not ask for these pins and may well succeed
                flight.failure = why
            raise

    async def key(self, spec: EnvironmentSpec) -> str:
        """Return the key ``spec`` has, without building anything.

        Raises:
            BadRequirement
        """
        if not spec.managed:
            return _UNMANAGED
        wanted = await anyio.to_thread.run_sync(read_requirements, spec)
        return await self._key(spec, wanted, chosen_installer(self._installer, spec.allow_uv))

    async def _key(self, spec: EnvironmentSpec, wanted: Requirements, installer: str) -> str:
        index = self.tools.index.with_options(wanted.options)
        digest = await anyio.to_thread.run_sync(parts.digest, spec.bundle_dir, wanted.local_parts)
        return environment_key(spec.runtime, wanted, installer=installer, index=index, parts_digest=digest)

    def get(self, key: str) -> Environment | None:
        """Return the ready environment named ``key``."""
        found = self._find(key)
        return found.environment if found else None

    def list_ready(self) -> list[Ready]:
        """Return every ready environment, ordered by version folder and key."""
        folders = sorted(path for path in self.folder.glob("*/*") if not path.name.startswith("."))
        return [ready for path in folders if (ready := record.read(path))]

    async def remove(self, key: str) -> bool:
        """Remove an environment; False when there is none. Nothing may run in it."""
        await self.settled()
        gone = self.take_away(key)
        if gone is not None:
            await anyio.to_thread.run_sync(remove_tree, gone)
        return gone is not None

    def take_away(self, key: str) -> Path | None:
        """Rename an environment to scratch and return that, for `remove_tree`; None when there is none.

        It does not wait, so what was found out just before, in the same step of the event loop, is still true.
        """
        found = self._find(key)
        return _scratched(found.environment.root) if found and found.environment.root else None

    async def reconcile(self) -> list[str]:
        """Remove what a crash left and return what was done, one sentence each. Call it before anything is built."""
        done = await anyio.to_thread.run_sync(self._reconcile)
        ready = await anyio.to_thread.run_sync(self.list_ready)
        linked = {link for one in ready for link in one.environment.links}
        return done + await anyio.to_thread.run_sync(self._unpacked.reconcile, linked)

    def _reconcile(self) -> list[str]:
        done: list[str] = []
        places = [self.tools.yard, self.tools.bytecode, *sorted(self.folder.glob("*"))]
        for left in (left for place in places for left in leftovers(place)):
            remove_tree(left)
            done.append(f"Removed {left.relative_to(self.tools.data_dir)}, left by an installation that did not end.")
        for path in sorted(self.folder.glob("*/*")):
            if not path.name.startswith(".") and record.read(path) is None:
                _remove(path)
                done.append(f"Removed {path.relative_to(self.tools.data_dir)}, which is no whole environment.")
        return done

    def _at(self, runtime: Runtime, key: str) -> Environment | None:
        found = record.read(self.folder / str(runtime.version) / key)
        return found.environment if found else None

    def _find(self, key: str) -> Ready | None:
        if not key.isalnum():  # it becomes part of a path and of a pattern
            return None
        return next((ready for path in sorted(self.folder.glob(f"*/{key}")) if (ready := record.read(path))), None)

    async def _build(
        self, key: str, spec: EnvironmentSpec, wanted: Requirements, flight: Flight, installer: str
    ) -> Environment:
        say = flight.say
        if self._turns.full():
            say("Other environments are being built; waiting for a place")
        async with self._turns.turn(flight.place, name=key, patient=flight.patient):
            say(f"Building environment {key} for Python {spec.runtime.version} with {installer}")
            final = self.folder / str(spec.runtime.version) / key
            async with scratch(self.tools.yard) as place:
                site = Site(
                    tools=self.tools,
                    runtime=spec.runtime,
                    root=place,
                    say=say,
                    index=self.tools.index.with_options(wanted.options),
                    ends_at=asyncio.get_running_loop().time() + self.tools.build_timeout.total_seconds(),
                )
                try:
                    built = await build(site, wanted, installer=installer, bundle_dir=spec.bundle_dir, final=final)
                except InstallFailed as why:
                    _tell(why, say)
                    raise
                environment = await anyio.to_thread.run_sync(self._publish, site.env, spec.runtime, built, final)
                if self._keeps and built.base:
                    self._keeping.later(environment, site.index, built.base)
            say(f"Environment {key} is ready: {len(environment.packages)} packages for Python {spec.runtime.version}")
            return environment

    def _publish(self, env: Path, runtime: Runtime, built: Built, final: Path) -> Environment:
        final.parent.mkdir(parents=True, exist_ok=True)
        environment = Environment(
            key=final.name,
            runtime=runtime,
            python=final / "bin" / "python",
            root=final,
            lock=built.lock,
            packages=built.packages,
            installer=built.installer,
            links=built.links,
        )
        ready = Ready(environment, self._clock.now(), built.size)
        write_new(env / record.FILE, record.write_text(ready))
        (env / record.FILE).chmod(0o444)
        if not publish(env, final):  # another server on the same folder was quicker
            ready = record.read(final) or ready
        return ready.environment


def chosen_installer(default: str, allow_uv: bool | None) -> str:
    """Return ``uv`` or ``pip``: the bundle's wish, else the server's choice."""
    return default if allow_uv is None else "uv" if allow_uv else "pip"


def read_requirements(spec: EnvironmentSpec) -> Requirements:
    """Return what ``spec`` asks for. Raises: BadRequirement."""
    return requirements.parse(
        spec.requirements,
        bundle_dir=spec.bundle_dir,
        file=spec.requirements_file,
        markers=requirements.markers_of(spec.runtime),
        additions=spec.additions,
    )


def _as_it_stands(runtime: Runtime) -> Environment:
    return Environment(key=_UNMANAGED, runtime=runtime, python=runtime.executable, root=None, lock="")


def _tell(why: InstallFailed, say: Say) -> None:
    """Say the outcome after all the output, so that nobody has to search for it."""
    say(f"{why.message} (Error code: {why.reason})")
    say(why.hint)


def _remove(path: Path) -> None:
    remove_tree(_scratched(path))


def _scratched(path: Path) -> Path:
    """Rename first: half of an environment must never be found under its key."""
    gone = path.with_name(f"{SCRATCH}{new_key(12)}")
    path.chmod(0o755)
    path.rename(gone)
    return gone
