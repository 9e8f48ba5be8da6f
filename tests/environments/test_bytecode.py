"""Bytecode compiled once and shared, with this very interpreter."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import importlib.util
import os
import sys
from pathlib import Path

import pytest
from support.build_shell import runtime_of

from rostra.environments import bytecode
from rostra.environments.index import IndexSettings
from rostra.environments.shell import PlainShell
from rostra.environments.site import Site, Tools

pytestmark = pytest.mark.anyio
TAG = sys.implementation.cache_tag


def recorded(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def package(folder: Path, files: dict[str, str], claims: dict[str, str] | None = None) -> None:
    """Install ``files``; ``claims`` are sources whose digests the record tells instead of the true ones."""
    rows = []
    for name, source in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        rows.append(f"{name},{recorded((claims or {}).get(name, source))},1")
    record = folder / f"p{len(list(folder.glob('*.dist-info')))}-1.dist-info"
    record.mkdir()
    (record / "RECORD").write_text("\n".join(rows))


async def provide(tmp_path: Path, folder: Path) -> tuple[int, int]:
    version = ".".join(map(str, sys.version_info[:3]))
    tools = Tools(shell=PlainShell(), data_dir=tmp_path / "data")
    root = tmp_path / "scratch"
    (root / "box").mkdir(parents=True, exist_ok=True)
    site = Site(
        tools=tools, runtime=runtime_of(sys.executable, version), root=root, say=print, index=IndexSettings(),
        ends_at=asyncio.get_running_loop().time() + 60,
    )  # fmt: skip
    return await bytecode.provide(site, folder)


def pyc(source: Path) -> Path:
    return source.parent / "__pycache__" / f"{source.stem}.{TAG}.pyc"


def store(tmp_path: Path, source: str) -> Path:
    digest = hashlib.sha256(source.encode()).hexdigest()
    return tmp_path / "data" / "bytecode" / str(TAG) / digest[:2] / f"{digest}.pyc"


async def run(folder: Path, program: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program, env=env, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    return out.decode().strip()


async def test_compiled_once_then_linked(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        package(folder, {"a.py": "x = 1\n", "p/__init__.py": "", "p/b.py": "y = 2\n"})
    assert await provide(tmp_path, one) == (0, 3)
    assert await provide(tmp_path, two) == (3, 0)
    assert pyc(one / "a.py").samefile(pyc(two / "a.py"))
    assert pyc(one / "a.py").samefile(store(tmp_path, "x = 1\n"))


async def test_the_interpreter_uses_it_without_looking_at_the_source(tmp_path: Path) -> None:
    package(tmp_path / "one", {"a.py": "def f(): return __file__\n"})
    await provide(tmp_path, tmp_path / "one")
    (tmp_path / "one" / "a.py").write_text("raise SystemExit('compiled again')\n")
    said = await run(tmp_path / "one", "import a; print(a.f(), a.f.__code__.co_filename)")
    assert said == f"{tmp_path}/one/a.py {tmp_path}/one/a.py", "tracebacks name the real file"


async def test_a_lying_record_cannot_poison_the_store(tmp_path: Path) -> None:
    good, evil = "x = 'good'\n", "x = 'evil'\n"
    package(tmp_path / "evil", {"a.py": evil}, claims={"a.py": good})
    await provide(tmp_path, tmp_path / "evil")
    assert not store(tmp_path, good).exists()
    package(tmp_path / "good", {"a.py": good})
    await provide(tmp_path, tmp_path / "good")
    assert await run(tmp_path / "good", "import a; print(a.x)") == "good"


async def test_what_does_not_compile_is_tried_once(tmp_path: Path) -> None:
    for name in ("one", "two"):
        package(tmp_path / name, {"template.py": "print 'two'\n", "a.py": "x = 1\n"})
    assert await provide(tmp_path, tmp_path / "one") == (0, 2)
    assert await provide(tmp_path, tmp_path / "two") == (2, 0)
    assert not pyc(tmp_path / "two" / "template.py").exists()


async def test_a_wheels_own_bytecode_is_replaced(tmp_path: Path) -> None:
    package(tmp_path / "one", {"a.py": "x = 1\n"})
    pyc(tmp_path / "one" / "a.py").parent.mkdir()
    pyc(tmp_path / "one" / "a.py").write_bytes(b"stale")
    await provide(tmp_path, tmp_path / "one")
    assert pyc(tmp_path / "one" / "a.py").read_bytes().startswith(importlib.util.MAGIC_NUMBER)


async def test_links_that_lead_elsewhere_are_left_alone(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("x = 1\n")
    folder = tmp_path / "one"
    package(folder, {"b.py": "y = 1\n"})
    (folder / "p").symlink_to(outside)
    (folder / "c.py").symlink_to(outside / "a.py")
    (folder / "__pycache__").symlink_to(outside)
    (folder / "x-1.dist-info").mkdir()
    (folder / "x-1.dist-info" / "RECORD").write_text("p/a.py,,\nc.py,,\n../outside/a.py,,\n/etc/a.py,,\n")
    await provide(tmp_path, folder)
    assert [path.name for path in outside.iterdir()] == ["a.py"]


async def test_a_file_with_all_the_links_it_may_have_gets_a_successor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path / "one", {"a.py": "x = 1\n"})
    await provide(tmp_path, tmp_path / "one")
    real, refused = os.link, []

    def full(source: str, target: str) -> None:
        if not refused:
            refused.append(source)
            raise OSError(31, "Too many links")
        real(source, target)

    monkeypatch.setattr(os, "link", full)
    package(tmp_path / "two", {"a.py": "x = 1\n"})
    assert await provide(tmp_path, tmp_path / "two") == (1, 0)
    assert pyc(tmp_path / "two" / "a.py").samefile(store(tmp_path, "x = 1\n"))
    assert not pyc(tmp_path / "one" / "a.py").samefile(store(tmp_path, "x = 1\n"))


async def test_nothing_of_the_scratch_is_left(tmp_path: Path) -> None:
    package(tmp_path / "one", {"a.py": "x = 1\n"})
    await provide(tmp_path, tmp_path / "one")
    assert sorted(path.name for path in (tmp_path / "data" / "bytecode").iterdir()) == [TAG]


async def test_packages_own_tests_are_left_out(tmp_path: Path) -> None:
    package(tmp_path / "tests" / "one", {"p/tests/test_a.py": "x = 1\n", "p/testing.py": "y = 2\n"})
    assert await provide(tmp_path, tmp_path / "tests" / "one") == (0, 1)
