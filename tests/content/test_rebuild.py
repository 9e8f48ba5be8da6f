"""Which interpreter an item that was built before runs on now: a table, and what is recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from support.items import NOW, StillClock, add_item, add_user
from support.offers import offer

from rostra.config.sections import Settings
from rostra.content import manifest, rebuild
from rostra.content.builds import RuntimeGone, Source
from rostra.content.tables import Bundle
from rostra.db.engine import Sessions, transaction
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.kinds.registry import by_name
from rostra.runtimes.model import Policy

pytestmark = pytest.mark.anyio


def bundle(version: str | None, *, path: str = "", asked: str | None = None, within: str | None = None) -> Bundle:
    path = path or f"/opt/python/{version}/bin/python3"
    return Bundle(
        id=1, runtime_version=version, runtime_path=path, requested_version=asked, requested_range=within, managed=True
    )


@pytest.mark.parametrize(
    ("recorded", "asked", "within", "policy", "offered", "expected", "why"),
    [
        ("3.9.18", "3.9.6", None, "major-minor", "3.9.6 3.9.18", "3.9.18", "what was recorded, not what fits better"),
        ("3.9.17", "3.9.6", None, "major-minor", "3.9.18 3.10.1", "3.9.18", "a patch upgrade"),
        ("3.9.17", "3.9.6", None, "major-minor", "3.9.4", "3.9.4", "also downwards, by the same rule as a deploy"),
        ("3.9.17", "3.9.6", None, "major-minor", "3.9.7 3.9.19", "3.9.7", "the lowest after the author's"),
        (
            "3.9.17",
            None,
            None,
            "major-minor",
            "3.9.4 3.9.19 3.10.1",
            "3.9.19",
            "no version asked: the newest of the series",
        ),
        (
            "3.9.17",
            None,
            ">=3.9",
            "major-minor",
            "3.9.19 3.13.0",
            "3.9.19",
            "a range does not leave the series by itself",
        ),
        ("3.9.17", None, "<3.9.18", "major-minor", "3.9.18", None, "what the bundle asks for still counts"),
        ("3.9.17", "3.9.17", None, "exact", "3.9.18", None, "exact means exact"),
        ("3.9.17", "3.9.6", None, "major-minor", "3.10.1", None, "another series takes a deploy"),
        ("3.8.18", "3.7.3", None, "nearest", "3.8.20 3.13.0", "3.8.20", "nearest, within the series it has"),
        ("3.8.18", "3.7.3", None, "nearest", "3.9.1", None, "nearest does not leave the series by itself"),
        ("3.8.18", "3.8.1", None, "major-minor", "3.8.18:r 3.9.1", None, "retired"),
        ("3.8.18", "3.8.1", None, "major-minor", "3.8.18:r 3.8.20", "3.8.20", "retired, with a newer patch release"),
        ("3.8.18", "3.8.1", None, "major-minor", "3.8.18:d 3.9.1", "3.8.18", "deprecated runs what it has"),
        ("3.8.18", "3.8.1", None, "major-minor", "", None, "nothing at all"),
    ],
)
def test_who_takes_its_place(
    recorded: str, asked: str | None, within: str | None, policy: str, offered: str, expected: str | None, why: str
) -> None:
    built = bundle(recorded, asked=asked, within=within)
    if expected is None:
        found = rebuild.gone(built, Policy(policy), offer(offered))
        assert found is not None, why
        assert recorded in found.message
        return
    chosen = rebuild.successor(built, Policy(policy), offer(offered))
    assert str(chosen.runtime.version) == expected, why
    assert bool(chosen.reason) == (expected != recorded)


@pytest.mark.parametrize(
    ("offered", "back"),
    [
        ("3.13.0", "put 3.8.18 back under [Python] Executable"),
        ("3.8.18:r 3.13.0", "take 3.8.18 out of [Python] Retired"),
    ],
)
def test_how_it_is_had_back(offered: str, back: str) -> None:
    gone = rebuild.gone(bundle("3.8.18"), Policy.major_minor, offer(offered))
    assert gone is not None
    assert back in gone.hint


def test_the_same_version_at_another_path_is_the_same() -> None:
    built = bundle("3.9.17", path="/old/bin/python3")
    found = rebuild.successor(built, Policy.exact, offer("3.9.17"))
    assert str(found.runtime.executable) == "/opt/python/3.9.17/bin/python3"
    assert "it was at /old/bin/python3" in found.reason


def test_what_needs_no_python_is_never_gone() -> None:
    assert rebuild.gone(bundle(None), Policy.major_minor, []) is None


@dataclass
class Shelf:
    """Makes any environment at once."""

    asked: list[EnvironmentSpec] = field(default_factory=list)

    async def ensure(self, spec: EnvironmentSpec, say: Any, **_: Any) -> Environment:
        self.asked.append(spec)
        key = f"env{spec.runtime.version}".replace(".", "")
        return Environment(key=key, runtime=spec.runtime, python=Path("/p"), root=Path("/e"), lock="")


@dataclass
class Bench:
    """The few of `Tools` that are needed."""

    sessions: Sessions
    offered: str
    environments: Shelf = field(default_factory=Shelf)
    clock: StillClock = field(default_factory=StillClock)

    def settings(self) -> Settings:
        return Settings()

    def runtimes(self) -> Any:
        return offer(self.offered)


async def stored(sessions: Sessions) -> Bundle:
    async with transaction(sessions) as session:
        item = await add_item(session, await add_user(session, "ada"))
        row = bundle("3.9.17", asked="3.9.6")
        row.item_id, row.created_at, row.size, row.kind = item.id, NOW, 1, "python-fastapi"
        row.md5 = row.sha1 = row.sha256 = ""
        row.match_reason, row.environment_key, row.state = "Chose it once", "env3917", "built"
        session.add(row)
    return row


SOURCE = Source(
    manifest.read(b'{"version": 1, "metadata": {"appmode": "python-fastapi", "entrypoint": "app"}}'),
    by_name("python-fastapi"),
    Path("/code"),
)


async def row_of(session: AsyncSession) -> Any:
    names = (Bundle.runtime_version, Bundle.match_reason, Bundle.environment_key)
    return tuple((await session.execute(sa.select(*names))).one())


async def test_a_patch_upgrade_is_recorded_with_its_reason(sessions: Sessions) -> None:
    row, said = await stored(sessions), list[str]()
    bench = Bench(sessions, "3.9.18 3.13.0")
    environment = await rebuild.rebuild(SOURCE, row, bench, said.append)  # type: ignore[arg-type]
    assert str(environment.runtime.version) == "3.9.18"
    assert "Python 3.9.17 is gone and 3.9.18 takes its place: Chose lowest 3.9.X release after 3.9.6" in said[0]
    async with transaction(sessions) as session:
        version, reason, key = await row_of(session)
    assert (version, key) == ("3.9.18", "env3918")
    assert reason.startswith("Python 3.9.17 is gone and 3.9.18 takes its place")


async def test_nothing_is_written_when_nothing_changed(sessions: Sessions) -> None:
    row, said = await stored(sessions), list[str]()
    await rebuild.rebuild(SOURCE, row, Bench(sessions, "3.9.17 3.9.18"), said.append)  # type: ignore[arg-type]
    async with transaction(sessions) as session:
        assert await row_of(session) == ("3.9.17", "Chose it once", "env3917")
    assert said == []


async def test_a_build_that_fails_records_nothing(sessions: Sessions) -> None:
    row = await stored(sessions)
    with pytest.raises(RuntimeGone, match=r"3\.9\.17"):
        await rebuild.rebuild(SOURCE, row, Bench(sessions, "3.13.0"), [].append)  # type: ignore[arg-type]
    async with transaction(sessions) as session:
        assert (await row_of(session))[0] == "3.9.17"
