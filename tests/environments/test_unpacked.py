"""Packages that are kept, and environments put together from them; the environments here are a few small files."""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.build_shell import runtime_of

from rostra.environments.distributions import Base, inventory, leaves
from rostra.environments.index import IndexSettings
from rostra.environments.requirements import parse
from rostra.environments.spec import Environment, Package
from rostra.environments.unpacked import UNUSED_SECONDS, Unfit, Unpacked
from rostra.trees import remove_tree

SITE = "lib/python3.11/site-packages"
INDEX = IndexSettings(index_url="https://example.org/simple")
HASHES = {"a": "sha256:" + "a" * 64, "b": "sha256:" + "b" * 64}


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")


ANY = f"sha256={_digest('any')},3"


class Made:
    """An environment as an installer leaves it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / SITE).mkdir(parents=True)
        (root / "bin").mkdir()
        (root / "bin" / "python").symlink_to("/usr/bin/python3")
        (root / "lib64").symlink_to("lib")
        (root / "pyvenv.cfg").write_text("home = /usr/bin\n")
        self.base: Base = inventory(root)
        self.packages: list[Package] = []

    def add(self, name: str, version: str, files: Mapping[str, str], metadata: str = "", record: str = "") -> None:
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}"
        everything = {**files, f"{info}/METADATA": metadata}
        told = [f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in everything.items()]
        listed = "".join(told) + f"{info}/RECORD,,\n" + record
        for path, text in {**everything, f"{info}/RECORD": listed}.items():
            place = Path(os.path.normpath(self.root / SITE / path))
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
        self.packages.append(Package(name, version))

    def environment(self, *, hashed: bool = True) -> Environment:
        lines = [f"{one.name}=={one.version}" for one in self.packages]
        lock = "\n".join(f"{line} \\\n    --hash={HASHES[line[0]]}" if hashed else line for line in lines)
        return Environment(
            key="k", runtime=runtime_of(), python=self.root / "bin/python", root=self.root, lock=lock,
            packages=tuple(self.packages), installer="uv",
        )  # fmt: skip


@pytest.fixture
def unpacked(tmp_path: Path) -> Unpacked:
    return Unpacked(tmp_path / "unpacked")


@pytest.fixture
def made(tmp_path: Path) -> Made:
    made = Made(tmp_path / "env")
    made.add("a", "1", {"a/__init__.py": "A = 1\n", "../../../bin/a": "#!a\n", "shared/a.py": "x\n"},
             "Requires-Dist: b>=2\n")  # fmt: skip
    cache = made.root / SITE / "a" / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_bytes(b"compiled")
    made.add("b", "2", {"b.py": "B = 2\n", "shared/b.py": "y\n"})
    return made


def together(unpacked: Unpacked, text: str, place: Path, index: IndexSettings = INDEX) -> list[str]:
    """Put together what ``text`` asks for; return the files that are there."""
    parts = unpacked.choose(runtime_of(), index, parse(text, bundle_dir=place.parent))
    unpacked.assemble(runtime_of(), index, parts, place)
    return sorted(inventory(place))


def test_what_was_installed_once_is_put_together_the_same(unpacked: Unpacked, made: Made, tmp_path: Path) -> None:
    assert unpacked.keep(made.environment(), INDEX, made.base) == 3
    again = tmp_path / "again"
    assert together(unpacked, "a==1\nb==2\n", again) == sorted(inventory(made.root))
    for name, inode in inventory(again).items():
        assert (made.root / name).lstat().st_ino == inode, "every file is a link, none a copy"
    assert not [
        folder for folder, _, _ in os.walk(again) if folder != str(again) and Path(folder).stat().st_mode & 0o222
    ]


def test_keeping_again_finds_nothing_new(unpacked: Unpacked, made: Made) -> None:
    unpacked.keep(made.environment(), INDEX, made.base)
    assert unpacked.keep(made.environment(), INDEX, made.base) == 0


def test_a_part_of_what_is_known_makes_a_smaller_environment(unpacked: Unpacked, made: Made, tmp_path: Path) -> None:
    unpacked.keep(made.environment(), INDEX, made.base)
    files = together(unpacked, "b==2", tmp_path / "again")
    assert f"{SITE}/b.py" in files
    assert f"{SITE}/shared/a.py" not in files


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a==1", "b is needed and not asked for"),
        ("a==1\nb==3", "never seen"),
        ("a==1\nb>=2", "a choice is left"),
        (f"b==2 --hash={HASHES['a']}", "another hash is asked for"),
    ],
)
def test_what_is_left_to_the_installer(unpacked: Unpacked, made: Made, tmp_path: Path, text: str, why: str) -> None:
    unpacked.keep(made.environment(), INDEX, made.base)
    with pytest.raises(Unfit):
        together(unpacked, text, tmp_path / "again")
    assert not (tmp_path / "again").exists(), why


def test_the_hash_that_was_installed_may_be_asked_for(unpacked: Unpacked, made: Made, tmp_path: Path) -> None:
    unpacked.keep(made.environment(), INDEX, made.base)
    together(unpacked, f"b==2 --hash={HASHES['b']} --hash={HASHES['a']}", tmp_path / "again")


def test_where_no_hash_is_known_none_can_be_asked_for(unpacked: Unpacked, made: Made, tmp_path: Path) -> None:
    unpacked.keep(made.environment(hashed=False), INDEX, made.base)
    together(unpacked, "b==2", tmp_path / "again")
    with pytest.raises(Unfit):
        together(unpacked, f"b==2 --hash={HASHES['b']}", tmp_path / "third")


def test_nothing_is_shared_between_indexes(unpacked: Unpacked, made: Made, tmp_path: Path) -> None:
    unpacked.keep(made.environment(), INDEX, made.base)
    with pytest.raises(Unfit):
        together(unpacked, "b==2", tmp_path / "again", IndexSettings(index_url="https://example.org/other"))


def test_two_packages_with_one_file_are_not_kept(unpacked: Unpacked, made: Made) -> None:
    made.add("c", "1", {"c.py": ""}, record=f"a/__init__.py,{ANY}\n")
    assert unpacked.keep(made.environment(hashed=False), INDEX, made.base) == 0


@pytest.mark.parametrize("claimed", ["../../../pyvenv.cfg", "../../../bin/python"])
def test_a_package_does_not_become_a_part_of_everybodys_environment(
    unpacked: Unpacked, made: Made, claimed: str
) -> None:
    made.add("c", "1", {"c.py": ""}, record=f"{claimed},{ANY}\n")
    assert unpacked.keep(made.environment(hashed=False), INDEX, made.base) == 0


def test_an_empty_environment_that_was_changed_is_not_kept(unpacked: Unpacked, made: Made) -> None:
    (made.root / "pyvenv.cfg").unlink()
    (made.root / "other").write_text("")
    (made.root / "pyvenv.cfg").write_text("home = /tmp\n")
    assert unpacked.keep(made.environment(), INDEX, made.base) == 0


def test_a_file_that_is_not_what_its_package_recorded_is_not_kept_for_others(unpacked: Unpacked, made: Made) -> None:
    (made.root / SITE / "a" / "__init__.py").write_text("A = 'from a wheel that does not record this file'\n")
    assert unpacked.keep(made.environment(), INDEX, made.base) == 0


def test_a_file_recorded_without_a_digest_is_not_kept(unpacked: Unpacked, made: Made) -> None:
    made.add("c", "1", {"c.py": ""}, record="c2.py,,\n")
    assert unpacked.keep(made.environment(hashed=False), INDEX, made.base) == 0


def test_a_package_with_two_records_is_not_kept(unpacked: Unpacked, made: Made) -> None:
    made.add("c", "1", {"c.py": "", "a-0.dist-info/METADATA": "Name: a\nVersion: 0\n"})
    assert unpacked.keep(made.environment(hashed=False), INDEX, made.base) == 0


def test_files_that_belong_to_nobody_are_not_lost_silently(unpacked: Unpacked, made: Made) -> None:
    (made.root / SITE / "stray.pth").write_text("import stray\n")
    assert unpacked.keep(made.environment(), INDEX, made.base) == 0


def test_a_record_that_leads_out_takes_nothing_along(unpacked: Unpacked, made: Made, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    made.add("c", "1", {"c.py": ""}, record=f"../../../../secret,{ANY}\n/etc/passwd,{ANY}\n")
    unpacked.keep(made.environment(hashed=False), INDEX, made.base)
    assert not [path for path in unpacked.folder.rglob("*") if path.name in ("secret", "passwd")]


def test_what_came_from_the_bundle_is_not_kept(unpacked: Unpacked, made: Made, tmp_path: Path) -> None:
    made.add("c", "1", {"c.py": "", "c-1.dist-info/direct_url.json": '{"url": "file:///bundle/c.whl"}'})
    assert unpacked.keep(made.environment(hashed=False), INDEX, made.base) == 3
    with pytest.raises(Unfit):
        together(unpacked, "c==1", tmp_path / "again")


def test_a_file_that_is_gone_leaves_it_to_the_installer(unpacked: Unpacked, made: Made, tmp_path: Path) -> None:
    unpacked.keep(made.environment(), INDEX, made.base)
    next(unpacked.folder.rglob("b.py")).unlink()
    with pytest.raises(Unfit):
        together(unpacked, "b==2", tmp_path / "again")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "b"}'])
def test_a_broken_record_of_ours_leaves_it_to_the_installer(
    unpacked: Unpacked, made: Made, tmp_path: Path, text: str
) -> None:
    unpacked.keep(made.environment(), INDEX, made.base)
    next(unpacked.folder.glob("*/b-2/about.json")).write_text(text)
    with pytest.raises(Unfit):
        together(unpacked, "b==2", tmp_path / "again")


def test_what_a_crash_left_and_what_is_unused_is_removed(unpacked: Unpacked, made: Made) -> None:
    unpacked.keep(made.environment(), INDEX, made.base)
    [shelf] = unpacked.folder.iterdir()
    (shelf / ".scratch-left").mkdir()
    os.utime(shelf / "a-1" / "about.json", (0, 0))
    assert unpacked.reconcile() == ["Removed the unpacked package a-1, unused for long."]
    assert sorted(path.name for path in shelf.iterdir()) == ["b-2", "base"]
    unpacked.reconcile(now=(shelf / "b-2" / "about.json").stat().st_mtime + UNUSED_SECONDS + 9)
    assert not list(unpacked.folder.iterdir())


@pytest.mark.parametrize(
    ("name", "line", "expected"),
    [
        ("a/__init__.py", "here = Path(__file__).parent", False),
        ("a/__init__.py", "here = Path(__file__).resolve().parent", False),
        ("a/__init__.py", "here = Path(__file__).resolve().parent.parent", True),
        ("a/__init__.py", "here = Path(__file__).parents[1].resolve()", True),
        ("a/b/c.py", "here = Path(__file__).resolve().parents[1]", False),
        ("a/b/c.py", "here = Path(__file__).resolve().parents[2]", True),
        ("a/__init__.py", "here = os.path.dirname(os.path.realpath(__file__))", False),
        ("a/__init__.py", "here = os.path.join(os.path.dirname(os.path.realpath(__file__)), '..')", True),
        ("a/tests/test_a.py", "here = Path(__file__).resolve().parents[5]", False),
        ("a/__init__.py", "x = name.resolve().parent.parent", False),
    ],
)
def test_what_leaves_its_folder_is_found(name: str, line: str, expected: bool) -> None:
    assert leaves(f"{SITE}/{name}", f"import os\n{line}\n".encode()) is expected


@pytest.fixture
def linking(tmp_path: Path) -> Unpacked:
    return Unpacked(tmp_path / "unpacked", link_from=2)


def big(made: Made, name: str, init: str = "") -> None:
    made.add(name, "1", {f"{name}/__init__.py": init, f"{name}/more.py": "", f"{name}/data/x.txt": "x\n"})


def test_a_big_folder_of_one_package_is_linked_as_a_whole(linking: Unpacked, made: Made, tmp_path: Path) -> None:
    big(made, "big")
    linking.keep(made.environment(hashed=False), INDEX, made.base)
    parts = linking.choose(runtime_of(), INDEX, parse("big==1\nb==2", bundle_dir=tmp_path))
    links = linking.assemble(runtime_of(), INDEX, parts, tmp_path / "again")
    assert (tmp_path / "again" / SITE / "big").is_symlink()
    assert (tmp_path / "again" / SITE / "big" / "data" / "x.txt").read_text() == "x\n"
    assert not (tmp_path / "again" / SITE / "big-1.dist-info").is_symlink()
    [tree] = links
    assert (tmp_path / "again" / SITE / "big").resolve().is_relative_to(tree)
    assert not [folder for folder, _, _ in os.walk(tree) if Path(folder).stat().st_mode & 0o222]
    assert linking.reconcile(links, now=2e10) != []
    assert tree.is_dir(), "what an environment leads to stays"


def test_a_folder_of_two_packages_is_never_linked(linking: Unpacked, made: Made, tmp_path: Path) -> None:
    made.add("c", "1", {"shared/c.py": "", "shared/d.py": ""})
    linking.keep(made.environment(hashed=False), INDEX, made.base)
    parts = linking.choose(runtime_of(), INDEX, parse("c==1\nb==2", bundle_dir=tmp_path))
    linking.assemble(runtime_of(), INDEX, parts, tmp_path / "again")
    assert not (tmp_path / "again" / SITE / "shared").is_symlink()
    assert sorted(path.name for path in (tmp_path / "again" / SITE / "shared").iterdir()) == ["b.py", "c.py", "d.py"]


def test_a_folder_that_looks_for_its_neighbours_is_not_linked(linking: Unpacked, made: Made, tmp_path: Path) -> None:
    big(made, "odd", "from pathlib import Path\nHERE = Path(__file__).resolve().parent.parent\n")
    linking.keep(made.environment(hashed=False), INDEX, made.base)
    parts = linking.choose(runtime_of(), INDEX, parse("odd==1", bundle_dir=tmp_path))
    assert linking.assemble(runtime_of(), INDEX, parts, tmp_path / "again") == ()


def test_folders_may_be_deeper_than_calls(unpacked: Unpacked, made: Made) -> None:
    deep = str(made.root)
    for _ in range(sys.getrecursionlimit()):
        deep += "/a"
        os.mkdir(deep)  # noqa: PTH102
    Path(deep, "mine").write_text("")
    assert str(Path(deep, "mine").relative_to(made.root)) in inventory(made.root)
    assert unpacked.keep(made.environment(), INDEX, made.base) == 0, "it belongs to nobody"
    assert remove_tree(made.root / "a")
