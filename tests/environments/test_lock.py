"""What is installed, and the lock file that says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rostra.environments.installed import Installed, read, site_packages
from rostra.environments.lock import hashes_in, render
from rostra.environments.requirements import parse
from rostra.environments.spec import Package

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
SIX, FLASK = Installed(Package("six", "1.17.0")), Installed(Package("flask", "3.0"))
REPOSITORY = Installed(Package("thing", "1.0"), "git+https://me:secret@x.org/a.git@abc")
LOCAL = Installed(Package("mine", "1.0"), "file:///x", local=True)


def test_hashes_when_all_are_known() -> None:
    text = render([FLASK, SIX], {"flask": (A,), "six": (A, B)}, heading="h")
    assert text == f"# h\nflask==3.0 \\\n    --hash={A}\nsix==1.17.0 \\\n    --hash={A} \\\n    --hash={B}\n"


@pytest.mark.parametrize(
    ("others", "line"),
    [
        ([FLASK], "flask==3.0"),
        ([REPOSITORY], "thing @ git+https://****@x.org/a.git@abc  # thing==1.0"),
        ([LOCAL], "# mine==1.0 was installed from the bundle itself"),
    ],
)
def test_one_unknown_hash_makes_them_comments(others: list[Installed], line: str) -> None:
    lines = render([*others, SIX], {"six": (A,)}, heading="h").splitlines()
    assert lines == ["# h", line, f"six==1.17.0  # {A}"]


def test_nothing_installed() -> None:
    assert render([], {}, heading="h") == "# h\n"


_HASHES = st.lists(st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True), min_size=1, max_size=3, unique=True)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True), _HASHES, max_size=5))
def test_a_lock_is_read_back(hashes: dict[str, list[str]]) -> None:
    installed = [Installed(Package(name, "1.0")) for name in sorted(hashes)]
    text = render(installed, {name: tuple(found) for name, found in hashes.items()}, heading="h")
    assert hashes_in(text) == {name: tuple(found) for name, found in hashes.items()}
    again = parse(text, bundle_dir=Path("/nowhere"))
    assert {e.text: e.hashes for e in again.entries} == {f"{n}==1.0": tuple(h) for n, h in hashes.items()}


def record(folder: Path, name: str, metadata: str | None, origin: object = None) -> None:
    place = folder / f"{name}.dist-info"
    place.mkdir(parents=True)
    if metadata is not None:
        (place / "METADATA").write_text(metadata)
    if origin is not None:
        (place / "direct_url.json").write_text(json.dumps(origin))


def test_records_are_read_and_names_normalised(tmp_path: Path) -> None:
    record(tmp_path, "Flask_Login-1.0", "Name: Flask_Login\nVersion: 1.0\n\nbody")
    record(
        tmp_path,
        "a-1",
        "Name: a\nVersion: 1\n",
        {"url": "https://x.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "c"}},
    )
    record(tmp_path, "b-1", "Name: b\nVersion: 1\n", {"url": "file:///x/b", "dir_info": {}})
    record(tmp_path, "c-1", "Name: c\nVersion: 1\n", {"url": "https://x.org/c.whl", "archive_info": {}})
    assert read(tmp_path) == [
        Installed(Package("a", "1"), "git+https://x.org/a.git@c"),
        Installed(Package("b", "1"), "file:///x/b", local=True),
        Installed(Package("c", "1"), "https://x.org/c.whl"),
        Installed(Package("flask-login", "1.0")),
    ]


def test_broken_and_hostile_records_are_left_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("Name: secret\nVersion: 1\n")
    folder = tmp_path / "site-packages"
    record(folder, "none-1", None)
    record(folder, "bad-1", "Name: ../../x\nVersion: 1\n")
    record(folder, "worse-1", "Name: worse\nVersion: ; rm\n")
    record(folder, "linked-1", None)
    (folder / "linked-1.dist-info" / "METADATA").symlink_to(secret)
    record(folder, "odd-1", "Name: odd\nVersion: 1\n", ["not", "an", "object"])
    assert read(folder) == [Installed(Package("odd", "1"))]


@pytest.mark.parametrize("link", ["lib", "lib/python3.11", "lib/python3.11/site-packages", "bin"])
def test_an_environment_with_links_for_folders_is_refused(tmp_path: Path, link: str) -> None:
    env = tmp_path / "env"
    (env / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    (env / "bin").mkdir()
    assert site_packages(env).is_dir()
    (env / link).rename(tmp_path / "elsewhere")
    (env / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError):
        site_packages(env)
