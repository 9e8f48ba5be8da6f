"""On which interpreter a bundle that was built before runs now, and its environment made again when it has to be.

An item stays on the runtime it was built for. Only a patch upgrade moves it: the same MAJOR.MINOR, within the policy
and what the bundle asks for. Everything else takes a deploy, where the new version is proven before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.content import beside, builds
from rostra.content.beside import ProgramGone
from rostra.content.builds import RuntimeGone, Say, Source
from rostra.content.tables import Bundle
from rostra.content.tools import Tools
from rostra.db.engine import transaction
from rostra.environments.spec import Environment
from rostra.environments.turns import Place, nobody
from rostra.runtimes.errors import NoMatchingPython
from rostra.runtimes.matching import choose
from rostra.runtimes.model import Policy, Request, Runtime, RuntimeState
from rostra.runtimes.r_model import Beside


class Built(Protocol):
    """What is recorded of a bundle that was built; a `Bundle` has it."""

    @property
    def runtime_version(self) -> str | None: ...
    @property
    def runtime_path(self) -> str | None: ...
    @property
    def requested_version(self) -> str | None: ...
    @property
    def requested_range(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """The same as plain values, for lists that need not load whole bundles."""

    runtime_version: str | None
    runtime_path: str | None
    requested_version: str | None = None
    requested_range: str | None = None
    r_version: str | None = None
    r_path: str | None = None
    quarto_version: str | None = None
    quarto_path: str | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Recorded:
        return cls(**{name: getattr(bundle, name) for name in cls.__slots__})


RECORDED = (Bundle.runtime_version, Bundle.runtime_path, Bundle.requested_version, Bundle.requested_range)
"""The first columns of `Recorded`, in its order: what is recorded of Python."""
RECORDED_BESIDE = (*RECORDED, Bundle.r_version, Bundle.r_path, Bundle.quarto_version, Bundle.quarto_path)
"""All of them."""


@dataclass(frozen=True, slots=True)
class Successor:
    """``reason`` says why another runtime than the recorded one is used; empty when it is the recorded one."""

    runtime: Runtime
    reason: str = ""


def successor(bundle: Built, policy: Policy, runtimes: Sequence[Runtime]) -> Successor:
    """Return what runs ``bundle`` now: the recorded interpreter, the same version elsewhere, or a patch upgrade.

    Raises:
        RuntimeGone: none of them is there, or only as a retired one.
    """
    usable = [runtime for runtime in runtimes if runtime.state is not RuntimeState.retired]
    same = [runtime for runtime in usable if str(runtime.version) == bundle.runtime_version]
    if recorded := next((runtime for runtime in same if str(runtime.executable) == bundle.runtime_path), None):
        return Successor(recorded)
    if same:
        moved = min(same, key=lambda runtime: str(runtime.executable))
        return Successor(
            moved, f"Python {moved.version} is at {moved.executable} now (it was at {bundle.runtime_path})"
        )
    try:
        return _upgraded(bundle, policy, usable)
    except (NoMatchingPython, ValueError):
        retired = any(str(runtime.version) == bundle.runtime_version for runtime in runtimes)  # none was usable
        raise RuntimeGone(
            bundle.runtime_version or "unknown",
            bundle.runtime_path or "",
            [each.version for each in usable],
            retired=retired,
        ) from None


def gone(bundle: Built, policy: Policy, runtimes: Sequence[Runtime]) -> RuntimeGone | None:
    """Return why nothing can run ``bundle`` any more; None when something can, or it was never built for a Python."""
    if bundle.runtime_version is None:
        return None
    try:
        successor(bundle, policy, runtimes)
    except RuntimeGone as why:
        return why
    return None


class Verdicts:
    """`gone` for many items at one moment: the same question is worked out once."""

    def __init__(self, policy: Policy, runtimes: Sequence[Runtime], offer: Beside | None = None) -> None:
        """``offer`` None: only of Python is anything said."""
        self._policy, self._runtimes, self._offer = policy, runtimes, offer
        self._known: dict[Recorded, RuntimeGone | ProgramGone | None] = {}

    def gone(self, recorded: Recorded) -> RuntimeGone | ProgramGone | None:
        if recorded not in self._known:
            self._known[recorded] = self._judged(recorded)
        return self._known[recorded]

    def _judged(self, recorded: Recorded) -> RuntimeGone | ProgramGone | None:
        python = gone(recorded, self._policy, self._runtimes)
        if python is not None or self._offer is None:
            return python
        return beside.gone(recorded, self._offer)


async def verdicts(tools: Tools) -> Verdicts:
    """Return what to ask about items at this moment."""
    return Verdicts(Policy(tools.settings().python.version_matching), tools.runtimes(), await tools.beside())


def _upgraded(bundle: Built, policy: Policy, usable: Sequence[Runtime]) -> Successor:
    """Raises: NoMatchingPython; ValueError when nothing was recorded."""
    recorded = Version(bundle.runtime_version or "")
    series = [runtime for runtime in usable if runtime.series == (recorded.major, recorded.minor)]
    match = choose(requested(bundle), policy, series)
    return Successor(
        match.runtime, f"Python {recorded} is gone and {match.runtime.version} takes its place: {match.reason}"
    )


def requested(bundle: Built) -> Request:
    """Return what the bundle asked for when it was uploaded."""
    return Request(
        version=Version(bundle.requested_version) if bundle.requested_version else None,
        requires=SpecifierSet(bundle.requested_range) if bundle.requested_range else None,
    )


async def rebuild(
    source: Source, bundle: Bundle, tools: Tools, say: Say, *, place: Place = nobody, patient: bool = False
) -> Environment:
    """Return the environment of a bundle that was built before, made again when it is missing, and record a change.

    Args:
        place: hears the place in the queue of builds.
        patient: let visitors' builds go first.

    Raises:
        RuntimeGone, InstallFailed
    """
    found = successor(bundle, Policy(tools.settings().python.version_matching), tools.runtimes())
    if found.reason:
        say(f"Using Python {found.runtime.version} from {found.runtime.executable}: {found.reason}")
    wanted = builds.spec(found.runtime, source, install=bundle.managed is not False)
    environment = await tools.environments.ensure(wanted, say, place=place, patient=patient)
    await _record(bundle, found, environment, tools)
    return environment


async def _record(bundle: Bundle, found: Successor, environment: Environment, tools: Tools) -> None:
    facts: dict[str, object] = {
        "runtime_version": str(found.runtime.version),
        "runtime_path": str(found.runtime.executable),
        "environment_key": environment.key,
    }
    if all(getattr(bundle, name) == value for name, value in facts.items()):
        return
    facts["built_at"] = tools.clock.now()
    if found.reason:
        facts["match_reason"] = found.reason
    async with transaction(tools.sessions) as session:
        await session.execute(sa.update(Bundle).where(Bundle.id == bundle.id).values(facts))
    for name, value in facts.items():
        setattr(bundle, name, value)
