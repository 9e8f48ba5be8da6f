"""Real interpreters, real installers, real packages."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.build_shell import runtime_of

from rostra.environments import failure
from rostra.environments.errors import InstallFailed
from rostra.environments.index import of_machine
from rostra.environments.overlay import Overlays
from rostra.environments.shell import PlainShell
from rostra.environments.site import Tools
from rostra.environments.spec import Environment, EnvironmentSpec
from rostra.environments.store import Store
from rostra.execution import accounts, host
from rostra.execution.shell import SandboxedShell
from rostra.runtimes.model import Runtime

pytestmark = [pytest.mark.anyio, pytest.mark.interpreters]
MINORS = ["3.8", "3.9", "3.11", "3.13"]


def real_runtime(python: Path) -> Runtime:
    ask = "import sys; print('.'.join(map(str, sys.version_info[:3])), sys.base_prefix)"
    version, prefix = subprocess.run(
        [python, "-I", "-c", ask], capture_output=True, text=True, check=True
    ).stdout.split()
    return replace(runtime_of(python, version), prefixes=(Path(prefix),))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests here: they share the installers' caches, as content does."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def store(data_dir: Path) -> Store:
    index = of_machine(os.environ, home=Path.home())
    return Store(Tools(shell=PlainShell(), data_dir=data_dir, index=index))


@pytest.fixture(params=MINORS)
def runtime(request: pytest.FixtureRequest, python_minor: Callable[[str], Path]) -> Runtime:
    return real_runtime(python_minor(request.param))


@pytest.fixture
def newest(python_minor: Callable[[str], Path]) -> Runtime:
    return real_runtime(python_minor("3.11"))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that is itself a package, with a wheel of another in it."""
    folder = tmp_path / "bundle"
    (folder / "wheels").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools<80"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "mine"\nversion = "1.2"\n[tool.setuptools]\npy-modules = ["mine"]\n'
    )
    (folder / "mine.py").write_text("WHO = 'mine'\n")
    with zipfile.ZipFile(folder / "wheels" / "theirs-3.4-py3-none-any.whl", "w") as wheel:
        wheel.writestr("theirs.py", "WHO = 'theirs'\n")
        wheel.writestr("theirs-3.4.dist-info/METADATA", "Metadata-Version: 2.1\nName: theirs\nVersion: 3.4\n")
        wheel.writestr("theirs-3.4.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        names = ["theirs.py", "theirs-3.4.dist-info/METADATA", "theirs-3.4.dist-info/WHEEL"]
        wheel.writestr("theirs-3.4.dist-info/RECORD", "".join(f"{name},,\n" for name in names))
    return folder


def ask(environment: Environment, program: str) -> str:
    done = subprocess.run([environment.python, "-B", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def ensure(store: Store, runtime: Runtime, bundle: Path, text: str | None, **more: object) -> Environment:
    spec = EnvironmentSpec(runtime=runtime, requirements=text, bundle_dir=bundle, **more)  # type: ignore[arg-type]
    said: list[str] = []
    try:
        return await store.ensure(spec, said.append)
    finally:
        print("\n".join(said))


def names(environment: Environment) -> list[str]:
    return [package.name for package in environment.packages]


@pytest.mark.parametrize("allow_uv", [True, False])
async def test_flask_works_after_the_rename(store: Store, runtime: Runtime, bundle: Path, allow_uv: bool) -> None:
    text = "\ufeffFlask\r\npywin32==306\r\nsix ; python_version < '3'\r\n"
    made = await ensure(store, runtime, bundle, text, allow_uv=allow_uv)
    assert made.root is not None
    assert made.installer == ("uv" if allow_uv else "pip")
    assert ask(made, "import sys, flask; print(sys.prefix)") == str(made.root)
    script = subprocess.run([made.root / "bin" / "flask", "--version"], capture_output=True, text=True, check=True)
    assert f"Python {runtime.version}" in script.stdout
    assert "flask" in names(made)
    assert not {"six", "pywin32", "pip", "setuptools"} & set(names(made))
    assert "--hash=sha256:" in made.lock


async def test_known_packages_need_no_installer(store: Store, runtime: Runtime, bundle: Path, tmp_path: Path) -> None:
    # A folder of its own: which environment each file is linked from depends on what was installed before.
    store = Store(replace(store.tools, data_dir=tmp_path / "data"))
    first = await ensure(store, runtime, bundle, "flask")
    await store.settled()
    pinned = "".join(f"{package.name}=={package.version}\n" for package in first.packages)
    said: list[str] = []
    made = await store.ensure(EnvironmentSpec(runtime=runtime, requirements=pinned, bundle_dir=bundle), said.append)
    assert made.root is not None
    assert first.root is not None
    assert made.key != first.key
    assert [line for line in said if "that are known" in line]
    assert (made.lock, made.packages, made.installer) == (first.lock, first.packages, first.installer)
    assert "--hash=sha256:" in made.lock
    assert ask(made, "import sys, flask; print(sys.prefix, flask.__file__)").split() == [
        str(made.root),
        str(next(made.root.glob("lib/*/site-packages/flask/__init__.py"))),
    ]
    unwritten = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}  # as root, it could write beside what it imports
    script = subprocess.run(
        [made.root / "bin" / "flask", "--version"], capture_output=True, text=True, check=True, env=unwritten
    )
    assert f"Python {runtime.version}" in script.stdout
    files, theirs = inodes(made.root), inodes(first.root)
    others = {name for name in files.keys() | theirs.keys() if files.get(name) != theirs.get(name)}
    assert others <= {"rostra.json", ".lock"}


def inodes(root: Path) -> dict[str, int]:
    """Return every file below ``root``, what links lead to included, with what it is on the disk."""
    return {str(path.relative_to(root)): path.stat().st_ino for path in root.rglob("*") if path.is_file()}


async def test_the_short_cut_can_be_turned_off(store: Store, newest: Runtime, bundle: Path) -> None:
    plain = Store(store.tools, keep_unpacked=False)
    said: list[str] = []
    spec = EnvironmentSpec(runtime=newest, requirements="itsdangerous==2.2.0\n# off\n", bundle_dir=bundle)
    await store.ensure(spec, print)
    await store.settled()
    key = await store.key(spec)
    await store.remove(key)
    await plain.ensure(spec, said.append)
    assert said[0] == f"Building environment {key} for Python {newest.version} with uv"


async def test_bytecode_is_there_for_every_module(store: Store, runtime: Runtime, bundle: Path) -> None:
    made = await ensure(store, runtime, bundle, "flask")
    program = """
        import importlib, sys
        before = set(sys.modules)
        import flask
        print(sum(1 for n in set(sys.modules) - before
                  if (getattr(sys.modules[n], '__cached__', None) or '').startswith(sys.prefix)))
        import os
        print(sum(1 for n in set(sys.modules) - before
                  if (getattr(sys.modules[n], '__cached__', None) or '').startswith(sys.prefix)
                  and not os.path.exists(sys.modules[n].__cached__)))
    """
    cached, missing = ask(made, textwrap.dedent(program)).split()
    assert int(cached) > 30
    assert missing == "0"


async def test_the_bundles_own_package_and_a_wheel_in_it(store: Store, runtime: Runtime, bundle: Path) -> None:
    made = await ensure(store, runtime, bundle, "-e .\n./wheels/theirs-3.4-py3-none-any.whl\n")
    assert ask(made, "import mine, theirs; print(mine.WHO, theirs.WHO)") == "mine theirs"
    assert "# mine==1.2 was installed from the bundle itself" in made.lock
    assert not (bundle / "mine.egg-info").exists(), "the bundle stays as it is"
    assert str(made.root) in ask(made, "import mine; print(mine.__file__)"), "a copy: items come and go"


async def test_a_wheel_in_the_bundle_with_pip(store: Store, newest: Runtime, bundle: Path) -> None:
    made = await ensure(store, newest, bundle, "--find-links ./wheels\ntheirs==3.4\n", allow_uv=False)
    assert ask(made, "import theirs; print(theirs.WHO)") == "theirs"


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
async def test_an_empty_one(store: Store, runtime: Runtime, bundle: Path, text: str | None) -> None:
    made = await ensure(store, runtime, bundle, text)
    assert ask(made, "import sys; print(sys.version_info[0])") == "3"
    assert names(made) == []


@pytest.mark.parametrize("allow_uv", [True, False])
async def test_hashes_are_checked(store: Store, newest: Runtime, bundle: Path, allow_uv: bool) -> None:
    made = await ensure(store, newest, bundle, "itsdangerous==2.2.0", allow_uv=allow_uv)
    again = await ensure(store, newest, bundle, made.lock, allow_uv=allow_uv)
    assert again.packages == made.packages, "a lock file is read again"
    with pytest.raises(InstallFailed) as refusal:
        await ensure(store, newest, bundle, f"itsdangerous==2.1.2 --hash=sha256:{'0' * 64}", allow_uv=allow_uv)
    assert (refusal.value.reason, refusal.value.requirement) == (failure.HASH, "itsdangerous==2.1.2")


async def test_additions_do_not_need_hashes(store: Store, newest: Runtime, bundle: Path) -> None:
    locked = (await ensure(store, newest, bundle, "itsdangerous==2.2.0")).lock
    for allow_uv in (True, False):
        made = await ensure(store, newest, bundle, locked, additions=("six",), allow_uv=allow_uv)
        assert names(made) == ["itsdangerous", "six"]


@pytest.mark.parametrize("allow_uv", [True, False])
@pytest.mark.parametrize(
    ("text", "reason", "requirement"),
    [
        ("rostra-no-such-package-at-all", failure.NOT_FOUND, "rostra-no-such-package-at-all"),
        ("itsdangerous==99.1", failure.NO_VERSION, "itsdangerous==99.1"),
        ("./broken", failure.BUILD, "broken"),
        ("-i http://127.0.0.1:9/simple\nitsdangerous", failure.INDEX, "itsdangerous"),
    ],
)
async def test_what_fails_says_why(
    store: Store, newest: Runtime, bundle: Path, text: str, reason: str, requirement: str, allow_uv: bool
) -> None:
    (bundle / "broken").mkdir()
    (bundle / "broken" / "setup.py").write_text("raise SystemExit('no compiler here')\n")
    quick = replace(store.tools.index, timeout_seconds=2, extra_index_urls=(), find_links=())
    store.tools = replace(store.tools, index=quick)
    with pytest.raises(InstallFailed) as refusal:
        await ensure(store, newest, bundle, text, allow_uv=allow_uv)
    assert refusal.value.reason == reason
    assert requirement in refusal.value.requirement
    assert refusal.value.lines
    assert not list(store.tools.yard.glob(".scratch-*"))


async def test_a_version_for_newer_pythons_says_so(
    store: Store, bundle: Path, python_minor: Callable[[str], Path]
) -> None:
    old = real_runtime(python_minor("3.8"))
    for allow_uv in (True, False):
        with pytest.raises(InstallFailed) as refusal:
            await ensure(store, old, bundle, "flask==3.1.0", allow_uv=allow_uv)
        assert refusal.value.reason == failure.NO_VERSION
        assert refusal.value.requirement == "flask==3.1.0"
        assert "it needs Python >=3.9" in refusal.value.message


@pytest.mark.sandbox
@pytest.mark.parametrize("text", ["flask", "docopt==0.6.2\nsix"])
async def test_in_the_real_sandbox(tmp_path: Path, store: Store, newest: Runtime, bundle: Path, text: str) -> None:
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    facts, groups = host.discover("required")
    shell = SandboxedShell(facts, accounts.choose(""), groups)
    sandboxed = Store(replace(store.tools, shell=shell, data_dir=tmp_path / "data"))
    one = await ensure(sandboxed, newest, bundle, text)
    two = await ensure(sandboxed, newest, bundle, text + "\nitsdangerous")
    assert set(names(one)) <= set(names(two))
    assert one.root is not None
    assert two.root is not None
    for path in one.root.rglob("*"):
        assert path.lstat().st_uid == os.getuid() or (text == "flask" and path.is_file()), path
    if text == "flask":
        first, second = (next(root.glob("lib/*/site-packages/flask/app.py")) for root in (one.root, two.root))
        assert first.samefile(second)


async def test_two_environments_share_their_files(store: Store, newest: Runtime, bundle: Path) -> None:
    one = await ensure(store, newest, bundle, "flask")
    two = await ensure(store, newest, bundle, "flask\nitsdangerous")
    assert one.root is not None
    assert two.root is not None
    for name in ("flask/app.py", f"flask/__pycache__/app.{newest.cache_tag}.pyc"):
        first, second = (next(root.glob(f"lib/*/site-packages/{name}")) for root in (one.root, two.root))
        assert first.samefile(second), name


async def test_an_overlay_serves_both_kinds_of_application(store: Store, runtime: Runtime) -> None:
    folder = await Overlays(store.tools).ensure_overlay(runtime, print)
    program = f"import sys; sys.path.append({str(folder)!r}); import uvicorn, waitress, websockets, h11"
    subprocess.run([runtime.executable, "-I", "-B", "-c", program], check=True)


async def test_sources_are_built_apart(store: Store, newest: Runtime, bundle: Path) -> None:
    cached = store.tools.uv_cache
    made = await ensure(store, newest, bundle, "docopt==0.6.2")
    assert ask(made, "import docopt; print(docopt.__version__)") == "0.6.2"
    assert made.root is not None
    source = next(made.root.glob("lib/*/site-packages/docopt.py"))
    assert source.stat().st_nlink == 1, "nothing foreign code could write is linked anywhere"
    assert not list(cached.glob("sdists-*/*/*/docopt"))


async def test_kill_9_leaves_scratch_only(tmp_path: Path, newest: Runtime, store: Store, bundle: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(store.tools.data_dir), str(newest.executable), str(newest.version)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
    )  # fmt: skip
    assert child.stdout is not None
    key = ""
    for line in child.stdout:
        if line.startswith("Building environment "):
            key = line.split()[2]
        if "Resolved" in line:
            break
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    await asyncio.sleep(1)  # the installer is a session of its own and may finish what it does
    assert key
    assert store.get(key) is None
    done = await store.reconcile()
    assert any(".scratch-" in sentence for sentence in done)
    assert not list(store.tools.yard.glob(".scratch-*"))
    made = await ensure(store, newest, bundle, "flask\nwaitress==3.0.0\n")
    assert made.key == key
    assert ask(made, "import waitress; print('fine')") == "fine"


_CHILD = """
import asyncio, os, sys
from pathlib import Path
from support.build_shell import runtime_of
from rostra.environments.index import of_machine
from rostra.environments.shell import PlainShell
from rostra.environments.site import Tools
from rostra.environments.spec import EnvironmentSpec
from rostra.environments.store import Store
data, python, version = sys.argv[1:]
tools = Tools(shell=PlainShell(), data_dir=Path(data), index=of_machine(os.environ, home=Path.home()))
text = "flask\\nwaitress==3.0.0\\n"
spec = EnvironmentSpec(runtime=runtime_of(python, version), requirements=text, bundle_dir=Path("/"))
asyncio.run(Store(tools).ensure(spec, lambda line: print(line, flush=True)))
"""
