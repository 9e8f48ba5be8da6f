"""The store, with a shell that runs nothing."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest
from support.build_shell import FakeShell, runtime_of

from rostra.environments import failure
from rostra.environments.errors import BadRequirement, InstallFailed
from rostra.environments.overlay import Overlays
from rostra.environments.site import Tools
from rostra.environments.spec import EnvironmentSpec, Package
from rostra.environments.store import Store, chosen_installer

pytestmark = pytest.mark.anyio
NO_WHEEL = (1, ["error: No solution", "  cause: Because a==1 has no usable wheels and you require a==1"])
NO_SUCH = (1, ["error: No solution", "  cause: Because a was not found in the package registry and you require a"])


class FixedClock:
    def now(self) -> dt.datetime:
        return dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


@pytest.fixture
def shell() -> FakeShell:
    return FakeShell()


@pytest.fixture
def store(tmp_path: Path, shell: FakeShell) -> Store:
    return Store(Tools(shell=shell, data_dir=tmp_path / "data", uv=Path("/bin/uv")), clock=FixedClock())


@pytest.fixture
def spec(tmp_path: Path) -> EnvironmentSpec:
    (tmp_path / "bundle").mkdir()
    return EnvironmentSpec(runtime=runtime_of(), requirements="a==1\nb==2\n", bundle_dir=tmp_path / "bundle")


def on_disk(store: Store) -> list[str]:
    return sorted(path.name for path in store.folder.glob("*/*"))


async def test_an_environment_is_built_described_and_found_again(store: Store, spec: EnvironmentSpec) -> None:
    said: list[str] = []
    made = await store.ensure(spec, said.append)
    assert made.root == store.folder / "3.11.7" / made.key
    assert made.python == made.root / "bin" / "python"
    assert made.packages == (Package("a", "1"), Package("b", "2"))
    assert "a==1 \\\n    --hash=sha256:aaa" in made.lock
    assert "Collecting a==1" in said
    assert store.get(made.key) == made
    assert [(ready.environment, ready.created_at) for ready in store.list_ready()] == [(made, FixedClock().now())]
    assert on_disk(store) == [made.key]


async def test_the_second_asks_for_nothing_to_be_run(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    first = await store.ensure(spec, print)
    ran = len(shell.ran)
    said: list[str] = []
    again = await store.ensure(replace(spec, requirements="# other words\nb == 2\na==1"), said.append)
    assert again == first
    assert len(shell.ran) == ran
    assert said == [f"Environment {first.key} is there already and is shared"]


async def test_many_at_once_build_once(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    shell.hold["install"], shell.started["install"] = asyncio.Event(), asyncio.Event()
    said: list[list[str]] = [[], [], []]
    tasks = [asyncio.ensure_future(store.ensure(spec, said[0].append))]
    await shell.started["install"].wait()
    tasks += [asyncio.ensure_future(store.ensure(spec, heard.append)) for heard in said[1:]]
    while not all(said):
        await asyncio.sleep(0)
    shell.hold["install"].set()
    found = await asyncio.gather(*tasks)
    assert len({environment.key for environment in found}) == 1
    assert shell.steps().count("install") == 1
    assert said[1] == [
        f"Environment {found[0].key} is being built for other content; waiting for it",
        *said[0],
        f"Environment {found[0].key} was built meanwhile and is shared",
    ], "who joins hears what was said before and what is said from then on"


async def test_a_waiting_caller_takes_over_from_a_cancelled_one(
    store: Store, shell: FakeShell, spec: EnvironmentSpec
) -> None:
    shell.hold["install"], shell.started["install"] = asyncio.Event(), asyncio.Event()
    first = asyncio.ensure_future(store.ensure(spec, print))
    await shell.started["install"].wait()
    heard: list[str] = []
    second = asyncio.ensure_future(store.ensure(spec, heard.append))
    while not heard:
        await asyncio.sleep(0)
    first.cancel()
    shell.hold["install"].set()
    made = await second
    assert first.cancelled()
    assert on_disk(store) == [made.key]


async def test_those_who_waited_share_the_failure(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    shell.answers["install"] = [NO_SUCH]
    shell.hold["install"], shell.started["install"] = asyncio.Event(), asyncio.Event()
    first = asyncio.ensure_future(store.ensure(spec, print))
    await shell.started["install"].wait()
    heard: list[str] = []
    second = asyncio.ensure_future(store.ensure(spec, heard.append))
    while not heard:
        await asyncio.sleep(0)
    shell.hold["install"].set()
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [InstallFailed, InstallFailed]
    assert shell.steps().count("install") == 1


async def test_a_failure_leaves_nothing_and_is_not_remembered(
    store: Store, shell: FakeShell, spec: EnvironmentSpec
) -> None:
    shell.answers["install"] = [NO_SUCH]
    said: list[str] = []
    with pytest.raises(InstallFailed) as refusal:
        await store.ensure(spec, said.append)
    assert refusal.value.reason == failure.NOT_FOUND
    assert refusal.value.requirement == "a"
    assert refusal.value.lines[0] == "error: No solution"
    assert any("(Error code: python-package-not-found)" in line for line in said)
    assert on_disk(store) == []
    assert await store.ensure(spec, print)


async def test_builds_are_bounded(tmp_path: Path, shell: FakeShell, spec: EnvironmentSpec) -> None:
    tools = Tools(shell=shell, data_dir=tmp_path / "data", uv=Path("/bin/uv"))
    store = Store(tools, build_concurrency=1)
    shell.hold["install"], shell.started["install"] = asyncio.Event(), asyncio.Event()
    first = asyncio.ensure_future(store.ensure(spec, print))
    await shell.started["install"].wait()
    said: list[str] = []
    second = asyncio.ensure_future(store.ensure(replace(spec, requirements="c==3"), said.append))
    while not said:
        await asyncio.sleep(0)
    assert said == ["Other environments are being built; waiting for a place"]
    shell.hold["install"].set()
    await asyncio.gather(first, second)


async def test_without_foreign_code_the_cache_is_shared(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    await store.ensure(spec, print)
    install = next(one for one in shell.ran if one.step == "install")
    assert "--no-build" in install.argv
    assert install.writable == (store.tools.yard,), "one mount for cache and place, or files cannot be linked"
    assert install.env["UV_CACHE_DIR"] == str(store.tools.uv_cache)


async def test_foreign_code_never_sees_a_shared_cache(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    shell.answers["install"] = [NO_WHEEL]
    made = await store.ensure(spec, print)
    assert shell.steps()[:4] == ["venv", "install", "venv", "install"], "a fresh environment: no links into the cache"
    built = [one for one in shell.ran if one.step == "install"][1]
    assert "--no-build" not in built.argv
    assert all(path.name == "box" for path in built.writable)
    assert str(store.tools.uv_cache) not in " ".join([*built.env.values(), *map(str, built.readable)])
    assert on_disk(store) == [made.key]


async def test_what_must_be_built_is_not_tried_from_wheels(
    store: Store, shell: FakeShell, spec: EnvironmentSpec
) -> None:
    (spec.bundle_dir / "pyproject.toml").write_text("")
    await store.ensure(replace(spec, requirements="-e .\na==1"), print)
    assert shell.steps().count("install") == 1
    assert "--no-build" not in next(one for one in shell.ran if one.step == "install").argv


async def test_parts_of_the_bundle_take_part_in_the_key(store: Store, spec: EnvironmentSpec) -> None:
    (spec.bundle_dir / "w").mkdir()
    wheel = spec.bundle_dir / "w" / "mine-1.0-py3-none-any.whl"
    keys = []
    for content in (b"one", b"two", b"one"):
        wheel.write_bytes(content)
        (spec.bundle_dir / "app.py").write_bytes(b"x" + content)
        keys.append((await store.ensure(replace(spec, requirements="./w/mine-1.0-py3-none-any.whl"), print)).key)
    assert keys[0] == keys[2] != keys[1]


async def test_pip_takes_over_where_uv_cannot(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    shell.answers["venv"] = [(2, ["Using CPython 3.11.7", "error: Can't use Python at `/x`"])]
    said: list[str] = []
    made = await store.ensure(spec, said.append)
    assert made.installer == "pip"
    assert "uv cannot serve this interpreter (error: Can't use Python at `/x`); pip installs instead" in said
    assert "--only-binary" in next(one for one in shell.ran if one.step == "install").argv
    assert made.root is not None
    assert str(made.root) in (made.root / "pyvenv.cfg").read_text()


@pytest.mark.parametrize(
    ("default", "wish", "chosen"),
    [("uv", None, "uv"), ("uv", False, "pip"), ("pip", None, "pip"), ("pip", True, "uv"), ("uv", True, "uv")],
)
async def test_who_installs(default: str, wish: bool | None, chosen: str) -> None:
    assert chosen_installer(default, wish) == chosen


async def test_unmanaged_content_gets_the_interpreter_itself(
    store: Store, shell: FakeShell, spec: EnvironmentSpec
) -> None:
    found = await store.ensure(replace(spec, managed=False), print)
    assert (found.root, found.python, found.mounts) == (None, spec.runtime.executable, spec.runtime.prefixes)
    assert shell.ran == []


async def test_no_requirements_need_no_installation(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    made = await store.ensure(replace(spec, requirements=None), print)
    assert made.packages == ()
    assert "install" not in shell.steps()


async def test_a_bad_line_is_said_before_anything_runs(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    with pytest.raises(BadRequirement):
        await store.ensure(replace(spec, requirements="-e ../.."), print)
    assert shell.ran == []


async def test_credentials_are_masked_in_what_is_said(
    tmp_path: Path, shell: FakeShell, spec: EnvironmentSpec, store: Store
) -> None:
    shell.answers["install"] = [(1, ["error: Failed to fetch: https://me:secret@x.org/simple/a/"])]
    said: list[str] = []
    with pytest.raises(InstallFailed) as refusal:
        await store.ensure(spec, said.append)
    assert "secret" not in "\n".join([*said, str(refusal.value), *refusal.value.lines])


async def test_reconciling_removes_what_a_crash_left(store: Store, spec: EnvironmentSpec) -> None:
    made = await store.ensure(spec, print)
    place = store.folder / "3.11.7"
    (store.tools.yard / ".scratch-abc" / "box").mkdir(parents=True)
    (place / ("0" * 32) / "bin").mkdir(parents=True)
    (store.tools.bytecode / ".scratch-def").mkdir(parents=True)
    done = await store.reconcile()
    assert on_disk(store) == [made.key]
    assert len(done) == 3
    assert all(sentence.startswith("Removed ") and sentence.endswith(".") for sentence in done)
    assert await store.reconcile() == []


async def test_removing(store: Store, spec: EnvironmentSpec) -> None:
    made = await store.ensure(spec, print)
    assert await store.remove(made.key)
    assert store.get(made.key) is None
    assert not await store.remove(made.key)
    assert on_disk(store) == []


@pytest.mark.parametrize("key", ["", "../x", "*", "a/b", "nosuch"])
async def test_keys_that_name_nothing(store: Store, key: str) -> None:
    assert store.get(key) is None
    assert not await store.remove(key)


async def test_a_timeout_is_an_install_failure(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    async def late(*_: object, **__: object) -> int:
        raise TimeoutError

    shell.run = late  # type: ignore[method-assign,assignment]
    with pytest.raises(InstallFailed) as refusal:
        await store.ensure(spec, print)
    assert refusal.value.reason == failure.TIMEOUT


async def test_an_overlay_does_without_what_has_no_wheel(tmp_path: Path, shell: FakeShell) -> None:
    shell.answers["install"] = [NO_WHEEL]
    overlays = Overlays(Tools(shell=shell, data_dir=tmp_path / "data", uv=Path("/bin/uv")))
    folder = await overlays.ensure_overlay(runtime_of(), print)
    assert folder.name == "site-packages"
    assert folder.is_relative_to(tmp_path / "data" / "overlays" / "3.11.7")
    installs = [one for one in shell.ran if one.step == "install"]
    assert len(installs) == 2
    assert all("--no-build" in one.argv for one in installs)


async def test_pins_decide_versions_but_not_the_key(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    pinned = replace(spec, pins=("click==7.1.2",))
    built = await store.ensure(pinned, print)
    assert built.key == await store.key(spec) == await store.key(pinned)
    assert any("-c" in ran.argv for ran in shell.ran if ran.step == "install")


async def test_pins_that_fail_are_nobody_elses_failure(store: Store, shell: FakeShell, spec: EnvironmentSpec) -> None:
    shell.hold["install"], shell.started["install"] = asyncio.Event(), asyncio.Event()
    shell.answers["install"] = [NO_SUCH]
    first = asyncio.create_task(store.ensure(replace(spec, pins=("z==1",)), print))
    await shell.started["install"].wait()
    second = asyncio.create_task(store.ensure(spec, print))
    shell.hold["install"].set()
    with pytest.raises(InstallFailed):
        await first
    assert (await second).key == await store.key(spec)
