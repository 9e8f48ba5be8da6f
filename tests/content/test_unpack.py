"""Hostile bundles: each attack by name, what is answered, and that nothing outside changed."""

import gzip
import io
import os
import stat
import tarfile
import threading
import zlib
from collections.abc import Iterator
from hashlib import md5
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.bundles import archive, bundle, manifest, member, pax, tar

from rostra.content import unpack as unpacking
from rostra.content.errors import BundleFileMissing, BundleRefused, ChecksumMismatch, InvalidManifest
from rostra.content.gzipped import Bounds, Gunzip
from rostra.errors import Problem

pytestmark = pytest.mark.anyio

SMALL = Bounds(members=50, total_bytes=2_000_000, ratio=50, ratio_from=200_000)


class Place:
    """A data folder with neighbours that an attack would like to reach."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = folder / "bundle.tar.gz"
        self.into = folder / "apps" / "guid" / "1"
        self.into.parent.mkdir(parents=True)
        (folder / "secret").write_text("precious")
        (folder / "apps" / "other").mkdir()
        (folder / "apps" / "other" / "app.py").write_text("theirs")

    async def unpack(self, raw: bytes, bounds: Bounds = SMALL) -> Path:
        self.archive.write_bytes(raw)
        await unpacking.unpack(self.archive, self.into, bounds)
        return self.into

    def outside(self) -> dict[str, tuple[int, bytes]]:
        """Everything that is not the unpacked bundle itself."""
        skip = (self.archive, self.into)
        paths = (path for path in self.folder.rglob("*") if not any(path.is_relative_to(s) for s in skip))
        return {str(p): (p.lstat().st_mode, p.read_bytes() if p.is_file() else b"") for p in paths}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path)
    for folder, _, _ in os.walk(tmp_path):
        Path(folder).chmod(0o700)  # pytest wants to remove what we made read-only


def gz(raw: bytes) -> bytes:
    return gzip.compress(raw, mtime=0)


def deep(count: int) -> str:
    return "/".join(["d"] * count)


GOOD = bundle()
LONG = "x" * 300
BAD_SUM = bytearray(tar(member("manifest.json", manifest())))
BAD_SUM[0] ^= 1

REFUSED = [
    # where it would be written
    ("traversal", archive(member("../secret", b"x")), "goes up"),
    ("traversal further in", archive(member("a/../../secret", b"x")), "goes up"),
    ("traversal that comes back", archive(member("a/../b", b"x")), "goes up"),
    ("traversal by a folder", archive(member("../", sort=b"5")), "goes up"),
    ("traversal through the ustar prefix", archive(member("secret", b"x", prefix=b"..")), "goes up"),
    ("traversal in a pax path", archive(pax({"path": "../secret"}), member("ok", b"x")), "goes up"),
    ("traversal in a GNU name", archive(member("././@LongLink", b"../secret\0", sort=b"L"), member("ok")), "goes up"),
    ("traversal for Windows", archive(member("..\\secret", b"x")), "backslash"),
    ("absolute path", archive(member("/tmp/x", b"x")), "absolute"),
    ("absolute path in a pax path", archive(pax({"path": "/tmp/x"}), member("ok", b"x")), "absolute"),
    ("absolute path with two slashes", archive(member("//tmp/x", b"x")), "absolute"),
    ("no name", archive(member("", b"x")), "no name"),
    ("the root as a file", archive(member("./", b"", sort=b"2", link="x")), "no name"),
    # links
    ("symlink to an absolute path", archive(member("l", sort=b"2", link="/etc/passwd")), "absolute"),
    ("symlink out", archive(member("l", sort=b"2", link="../secret")), "links out"),
    ("symlink out from a folder", archive(member("a/b/l", sort=b"2", link="../../../secret")), "links out"),
    ("symlink out that comes back", archive(member("l", sort=b"2", link="../1/app.py")), "links out"),
    ("symlink to the folder above", archive(member("l", sort=b"2", link="..")), "links out"),
    ("symlink out in a pax target", archive(pax({"linkpath": "../x"}), member("l", sort=b"2", link="ok")), "links out"),
    ("symlink out in a GNU target", archive(member("K", b"../x\0", sort=b"K"), member("l", sort=b"2")), "links out"),
    (
        "symlinks that lead out only together",
        archive(member("x/y/s", sort=b"2", link="."), member("x/y/t", sort=b"2", link="s/../../..")),
        "links out",
    ),
    (
        "symlink out of a nested bundle",
        gz(tar(member("d/manifest.json", manifest()), member("d/l", sort=b"2", link="../x"))),
        "links out",
    ),
    ("symlink without a target", archive(member("l", sort=b"2")), "empty"),
    ("symlink with NUL", archive(pax({"linkpath": b"a\0b"}), member("l", sort=b"2")), "control"),
    ("symlink with content", archive(member("l", b"x" * 10, sort=b"2", link="a")), "has content"),
    ("symlink circle", archive(member("a", sort=b"2", link="b"), member("b", sort=b"2", link="a")), "circle"),
    ("symlink to itself", archive(member("a", sort=b"2", link="a/b")), "circle"),
    ("write through a symlink", archive(member("d", sort=b"2", link="."), member("d/x", b"x")), "under a symbolic"),
    ("symlink in the place of a folder", archive(member("d/x", b"x"), member("d", sort=b"2", link=".")), "twice"),
    ("symlink in the place of a file", archive(member("x", b"x"), member("x", sort=b"2", link="y")), "twice"),
    ("file in the place of a symlink", archive(member("x", sort=b"2", link="y"), member("x", b"x")), "twice"),
    ("hard link out", archive(member("l", sort=b"1", link="../secret")), "goes up"),
    ("hard link to an absolute path", archive(member("l", sort=b"1", link="/etc/passwd")), "absolute"),
    ("hard link to nothing", archive(member("l", sort=b"1", link="nothing")), "hard link"),
    ("hard link to a later file", archive(member("l", sort=b"1", link="x"), member("x", b"x")), "hard link"),
    ("hard link to a folder", archive(member("d", sort=b"5"), member("l", sort=b"1", link="d")), "hard link"),
    (
        "hard link to a symlink",
        archive(member("s", sort=b"2", link="app.py"), member("l", sort=b"1", link="s")),
        "hard link",
    ),
    ("hard link with content", archive(member("a", b"x"), member("l", b"y", sort=b"1", link="a")), "has content"),
    # what it would be
    ("character device", archive(member("null", sort=b"3")), "character device"),
    ("block device", archive(member("sda", sort=b"4")), "block device"),
    ("named pipe", archive(member("pipe", sort=b"6")), "named pipe"),
    ("unknown type", archive(member("x", sort=b"Z")), "neither"),
    ("socket of some tars", archive(member("x", sort=b"s")), "neither"),
    ("volume label", archive(member("x", sort=b"V")), "neither"),
    ("GNU sparse file", archive(member("x", sort=b"S")), "sparse"),
    ("pax sparse file", archive(pax({"GNU.sparse.major": "1"}), member("x", b"x")), "sparse"),
    ("archive in several volumes", archive(member("x", sort=b"M")), "continues"),
    ("folder with content", archive(member("d", b"x" * 10, sort=b"5")), "has content"),
    # names
    ("name with a line end", archive(member("a\nb", b"x")), "control"),
    ("name with an escape sequence", archive(member("\x1b[2Jx", b"x")), "control"),
    ("name with a C1 control", archive(member("a\u0085b", b"x")), "control"),
    ("name with NUL", archive(pax({"path": b"app.py\0.txt"}), member("x")), "control"),
    ("name in Latin-1", archive(member(b"caf\xe9.py", b"x")), "not UTF-8"),
    ("name in Latin-1, pax", archive(pax({"path": b"caf\xe9", "hdrcharset": "BINARY"}), member("x")), "not UTF-8"),
    ("name with half a surrogate pair", archive(pax({"path": b"a\xed\xa0\x80"}), member("x")), "not UTF-8"),
    ("part longer than a file system takes", archive(pax({"path": LONG}), member("x")), "longer"),
    ("path longer than we take", archive(pax({"path": "/".join(["y" * 200] * 6)}), member("x")), "longer"),
    ("deeper than we take", archive(pax({"path": deep(70) + "/x"}), member("x")), "deep"),
    # one place, two things
    ("two files of one name", archive(member("a", b"1"), member("a", b"2")), "twice"),
    ("two files of one name, spelt differently", archive(member("a", b"1"), member("./a", b"2")), "twice"),
    ("two manifests", archive(member("manifest.json", b"{}")), "twice"),
    ("file in the place of a folder", archive(member("d/x", b"x"), member("d", b"x")), "twice"),
    ("file under a file", archive(member("d", b"x"), member("d/x", b"x")), "under a file"),
    ("file under a hard link", archive(member("a"), member("h", sort=b"1", link="a"), member("h/x")), "under a hard"),
    # bombs
    ("bomb: bytes", archive(member("x", os.urandom(1000) * 2001)), "more than 2000000 bytes"),
    ("bomb: declared bytes", archive(member("x", b"", size=8**10)), "more than 2000000 bytes"),
    ("bomb: declared bytes in base 256", archive(member("x", size=b"\x80" + b"\xff" * 11)), "more than 2000000"),
    ("bomb: declared bytes in pax", archive(pax({"size": "9" * 18}), member("x")), "more than 2000000 bytes"),
    ("bomb: ratio", archive(member("x", bytes(500_000))), "50 times"),
    ("bomb: zeros after the end", archive(end=bytes(600_000)), "50 times"),
    ("bomb: members", archive(*(member(f"f{n}") for n in range(60))), "more than 50 files"),
    ("bomb: implied folders", archive(pax({"path": deep(60) + "/x"}), member("x")), "more than 50 files"),
    ("bomb: the same folder again and again", archive(*[member("d/", sort=b"5")] * 300), "more than 50 members"),
    ("bomb: global headers", archive(*[pax({"comment": "x"}, sort=b"g")] * 300), "50 times"),
    ("bomb: long pax header", archive(member("p", os.urandom(1_100_000), sort=b"x"), member("x")), "extended header"),
    ("bomb: long GNU name", archive(member("p", b"a" * 10_000, sort=b"L"), member("x")), "too long"),
    # damage
    ("nothing", b"", "cut off"),
    ("not gzip", b"PK\x03\x04" + bytes(100), "not a gzip"),
    ("plain tar", tar(member("manifest.json", manifest())), "not a gzip"),
    ("gzip of something else", gz(b"hello" * 300), "not a tar"),
    ("gzip of little", gz(b"hello"), "middle"),
    ("gzip cut off", GOOD[:-30], "cut off"),
    ("gzip without its checksum", GOOD[:-8], "cut off"),
    ("gzip with a wrong checksum", GOOD[:-8] + b"\0\0\0\0" + GOOD[-4:], "damaged"),
    ("gzip header only", GOOD[:10], "cut off"),
    ("garbage after gzip", GOOD + b"garbage", "follows the gzip"),
    ("one byte after gzip", GOOD + b"\x1f", "follows the gzip"),
    ("a cut-off gzip after gzip", GOOD + GOOD[:20], "cut off"),
    ("a second archive after the first", GOOD + GOOD, "follows the end"),
    ("a member after the end", archive(end=bytes(1024) + member("late", b"x")), "follows the end"),
    ("a member after one zero block", archive(end=bytes(512) + member("late", b"x")), "follows the end"),
    ("tar cut off in a member", archive(member("a", b"x" * 99)[:560], end=b""), "middle"),
    ("tar cut off in a header", archive(member("a")[:100], end=b""), "middle"),
    ("wrong header checksum", gz(bytes(BAD_SUM)), "not a tar"),
    ("negative size", archive(member("x", size=b"-0000000001\0")), "negative"),
    ("negative size in base 256", archive(member("x", size=b"\xff" * 12)), "negative"),
    ("size that is no number", archive(member("x", size=b"0x100000000\0")), "damaged"),
    ("pax without length", archive(member("p", b"path=x\n", sort=b"x"), member("x")), "pax header"),
    ("pax of length zero", archive(member("p", b"0 path=x\n", sort=b"x"), member("x")), "pax header"),
    ("pax longer than it is", archive(member("p", b"99 path=x\n", sort=b"x"), member("x")), "pax header"),
    ("pax without a line end", archive(member("p", b"10 path=xyz", sort=b"x"), member("x")), "pax header"),
    ("pax with a negative size", archive(pax({"size": "-1"}), member("x")), "pax header"),
    ("pax for nothing", archive(pax({"path": "x"})), "middle"),
    ("two pax headers", archive(pax({"path": "a"}), pax({"path": "b"}), member("x")), "two"),
    ("two names", archive(member("L", b"a\0", sort=b"L"), pax({"path": "b"}), member("x")), "two names"),
    ("global path", archive(pax({"path": "a"}, sort=b"g"), member("x"), member("y")), "global header"),
    ("global size", archive(pax({"size": "0"}, sort=b"g"), member("x", b"x")), "global header"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "rule"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_refused_and_nothing_written(place: Place, raw: bytes, rule: str) -> None:
    before = place.outside()
    with pytest.raises(BundleRefused, match=rule) as told:
        await place.unpack(raw)
    assert told.value.number == 135
    assert told.value.hint
    assert told.value.message.isprintable()
    assert len(told.value.message) < 500
    assert not place.into.exists()
    assert place.outside() == before


BAD_MANIFESTS = [
    ("no members", gz(bytes(1024)), "missing"),
    ("none", gz(tar(member("app.py", b"x"))), "missing"),
    ("beside another folder", gz(tar(member("a/manifest.json", manifest()), member("b/x"))), "missing"),
    ("beside a file", gz(tar(member("a/manifest.json", manifest()), member("README"))), "missing"),
    ("a folder", gz(tar(member("manifest.json/", sort=b"5"), member("x"))), "missing"),
    ("a symlink", gz(tar(member("m", manifest()), member("manifest.json", sort=b"2", link="m"))), "symbolic link"),
    ("a symlink out", gz(tar(member("manifest.json", sort=b"2", link="/etc/passwd"))), None),
    ("a hard link", gz(tar(member("m", manifest()), member("manifest.json", sort=b"1", link="m"))), "hard link"),
    ("empty", gz(tar(member("manifest.json"))), "JSON"),
    ("enormous", gz(tar(member("manifest.json", size=17_000_000))), "too large"),
    ("wrong case", gz(tar(member("Manifest.json", manifest()))), "missing"),
    ("code as entry point", bundle(metadata={"appmode": "python-api", "entrypoint": "a;b"}), "entrypoint"),
]


@pytest.mark.parametrize(("raw", "rule"), [c[1:] for c in BAD_MANIFESTS], ids=[c[0] for c in BAD_MANIFESTS])
async def test_bad_manifests(place: Place, raw: bytes, rule: str | None) -> None:
    before = place.outside()
    with pytest.raises(InvalidManifest if rule else BundleRefused, match=rule) as told:
        await place.unpack(raw, Bounds(total_bytes=50_000_000))
    assert told.value.number == (38 if rule else 135)
    assert told.value.hint
    assert place.outside() == before


def listed(content: bytes) -> dict[str, dict[str, str]]:
    return {"app.py": {"checksum": md5(content).hexdigest()}}


async def test_a_file_other_than_the_listed_one(place: Place) -> None:
    with pytest.raises(ChecksumMismatch) as told:
        await place.unpack(bundle({"app.py": b"2"}, files=listed(b"1")))
    assert told.value.number == 104
    assert told.value.expected == md5(b"1").hexdigest()
    assert "write-manifest" in told.value.hint


async def test_a_file_other_than_the_listed_one_in_a_nested_bundle(place: Place) -> None:
    raw = gz(tar(member("d/app.py", b"2"), member("d/manifest.json", manifest(files=listed(b"1")))))
    with pytest.raises(ChecksumMismatch):
        await place.unpack(raw)


def tree(folder: Path) -> dict[str, str]:
    """{path: content, -> target, or /}"""

    def show(path: Path) -> str:
        if path.is_symlink():
            return f"-> {path.readlink()}"
        return "/" if path.is_dir() else path.read_text()

    return {str(path.relative_to(folder)): show(path) for path in folder.rglob("*")}


M = manifest().decode()
ACCEPTED = [
    ("as the client makes it", bundle({"app.py": "x"}), {"app.py": "x"}),
    ("listed and right", bundle({"app.py": "1"}, files=listed(b"1")), None),
    ("listed and absent", bundle({"x.py": "1"}, files=listed(b"1")), None),
    ("manifest last", gz(tar(member("app.py", b"x"), member("manifest.json", manifest()))), {"app.py": "x"}),
    ("nothing but a manifest", archive(), {}),
    ("no folder members", archive(member("a/b/c.txt", b"x")), {"a": "/", "a/b": "/", "a/b/c.txt": "x"}),
    ("folder after its files", archive(member("a/x"), member("a/", sort=b"5")), {"a": "/", "a/x": ""}),
    ("folder named twice", archive(member("a/", sort=b"5"), member("./a", sort=b"5")), {"a": "/"}),
    ("the root itself", archive(member("./", sort=b"5"), member("./app.py", b"x")), {"app.py": "x"}),
    ("names with ./", gz(tar(member("./manifest.json", manifest()), member("./a/./b//c", b"x"))), None),
    ("one top folder", gz(tar(member("p/manifest.json", manifest()), member("p/a.py", b"x"))), {"a.py": "x"}),
    (
        "three top folders",
        gz(tar(member("a/", sort=b"5"), member("a/b/c/app.py", b"x"), member("a/b/c/manifest.json", manifest()))),
        {"app.py": "x"},
    ),
    (
        "links in a nested bundle",
        gz(
            tar(
                member("p/manifest.json", manifest()), member("p/s", sort=b"2", link="a/x"), member("p/a/x", b"x"),
                member("p/h", sort=b"1", link="p/a/x"),
            )
        ),
        {"s": "-> a/x", "a": "/", "a/x": "x", "h": "x"},
    ),
    ("another manifest deeper", archive(member("d/manifest.json", b"{}")), {"d": "/", "d/manifest.json": "{}"}),
    ("symlink inside", archive(member("d/l", sort=b"2", link="../app.py")), {"d": "/", "d/l": "-> ../app.py"}),
    ("symlink to a folder", archive(member("d/x", b"x"), member("l", sort=b"2", link="d")), None),
    ("symlink to the bundle itself", archive(member("d/l", sort=b"2", link="..")), {"d": "/", "d/l": "-> .."}),
    ("dangling symlink", archive(member("l", sort=b"2", link=".venv/bin/python")), {"l": "-> .venv/bin/python"}),
    ("hard link inside", archive(member("a", b"x"), member("b", sort=b"1", link="./a")), {"a": "x", "b": "x"}),
    ("names that differ in case", archive(member("A", b"1"), member("a", b"2")), {"A": "1", "a": "2"}),
    ("identical twice", archive(member("a", b"1"), member("a", b"1")), {"a": "1"}),
    ("accents", archive(member("été/ü.py", b"x")), {"été": "/", "été/ü.py": "x"}),
    ("two spellings of an accent", archive(member("e\u0301", b"1"), member("\u00e9", b"2")), None),
    ("long path in pax", archive(pax({"path": "z" * 200}), member("zz", b"x")), {"z" * 200: "x"}),
    ("long path in GNU", archive(member("L", b"z" * 200 + b"\0", sort=b"L"), member("zz", b"x")), {"z" * 200: "x"}),
    ("long path in the prefix", archive(member("b", b"x", prefix=b"a")), {"a": "/", "a/b": "x"}),
    ("GNU's own use of the prefix", archive(member("b", b"x", magic=b"ustar  \0", prefix=b"00")), {"b": "x"}),
    ("pax times and attributes", archive(pax({"mtime": "0.5", "SCHILY.xattr.a": "b"}), member("b")), {"b": ""}),
    ("git archive's comment", archive(pax({"comment": "abc"}, sort=b"g"), member("b", b"x")), {"b": "x"}),
    ("very old tar", archive(member("d/", magic=b"\0" * 8), member("d/b", b"x", sort=b"\0")), {"d": "/", "d/b": "x"}),
    ("two gzip members", archive(end=b"") + gz(tar(member("b", b"x"))), {"b": "x"}),
    ("zeros after gzip", GOOD + bytes(1000), None),
    ("no end mark", archive(member("b", b"x"), end=b""), {"b": "x"}),
    ("one end block", archive(member("b", b"x"), end=bytes(512)), {"b": "x"}),
    ("dots in names", archive(member("..a", b"1"), member("...", b"3")), {"..a": "1", "...": "3"}),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), [c[1:] for c in ACCEPTED], ids=[c[0] for c in ACCEPTED])
async def test_accepted(place: Place, raw: bytes, expected: dict[str, str] | None) -> None:
    before = place.outside()
    into = await place.unpack(raw)
    found = tree(into)
    assert "manifest.json" in found
    if expected is not None:
        found.pop("manifest.json")
        assert found == expected
    assert place.outside() == before


async def test_modes_are_normal_and_read_only(place: Place) -> None:
    into = await place.unpack(
        archive(
            member("run", b"x", mode=0o6755), member("data", b"x", mode=0o666), member("hidden", b"x", mode=0),
            member("group", b"x", mode=0o654), member("d", sort=b"5", mode=0o7000), member("d/x", b"x", mode=0o1777),
        )
    )  # fmt: skip
    modes = {str(p.relative_to(into)): stat.S_IMODE(p.lstat().st_mode) for p in into.rglob("*")}
    assert modes == {
        "manifest.json": 0o444, "run": 0o555, "data": 0o444, "hidden": 0o444, "group": 0o444, "d": 0o555, "d/x": 0o555,
    }  # fmt: skip
    assert stat.S_IMODE(into.stat().st_mode) == 0o555
    assert {p.lstat().st_uid for p in into.rglob("*")} == {os.getuid()}


async def test_a_bomb_of_hard_links_costs_nothing(place: Place) -> None:
    content = os.urandom(100_000)
    links = (member(f"l{n}", sort=b"1", link="a") for n in range(40))
    into = await place.unpack(archive(member("a", content), *links))
    assert (into / "l39").samefile(into / "a")


async def test_what_is_there_is_left_alone(place: Place) -> None:
    into = await place.unpack(GOOD)
    made = into.stat().st_ino
    await unpacking.unpack(place.archive, into, SMALL)
    assert into.stat().st_ino == made


async def test_two_at_once_leave_one(place: Place) -> None:
    place.archive.write_bytes(GOOD)
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(unpacking.unpack, place.archive, place.into, SMALL)
    assert [p.name for p in place.into.parent.iterdir()] == ["1"]


async def test_an_archive_that_is_gone(place: Place) -> None:
    with pytest.raises(BundleFileMissing):
        await unpacking.unpack(place.archive, place.into)


async def test_cancelling_ends_the_thread_and_leaves_nothing(place: Place) -> None:
    place.archive.write_bytes(gz(tar(member("manifest.json", manifest()), member("x", os.urandom(1_000_000) * 60))))
    before, threads = place.outside(), threading.active_count()
    with anyio.move_on_after(0.01) as scope:
        await unpacking.unpack(place.archive, place.into)
    assert scope.cancelled_caught
    assert place.outside() == before
    assert threading.active_count() <= threads + 1, "at most an idle worker is left"


async def test_the_event_loop_stays_free(place: Place) -> None:
    place.archive.write_bytes(gz(tar(member("manifest.json", manifest()), member("x", os.urandom(1_000_000) * 20))))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0)
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(count)
        await unpacking.unpack(place.archive, place.into)
        group.cancel_scope.cancel()
    assert turns > 20


async def test_inspecting_writes_nothing(place: Place) -> None:
    place.archive.write_bytes(GOOD)
    before = place.outside()
    contents = await unpacking.inspect(place.archive)
    assert contents.manifest.app_mode == "python-api"
    assert sorted(contents.layout.nodes) == ["app.py", "manifest.json"]
    assert place.outside() == before


# An oracle: what the standard library packs, in every format it knows, comes out the same.

names = st.lists(
    st.text("abcé -_.~", min_size=1, max_size=60).filter(lambda part: part not in (".", "..")), min_size=1, max_size=4
).map("/".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    files=st.dictionaries(names, st.binary(max_size=2000), max_size=8),
    form=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_agrees_with_the_standard_library(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], form: int
) -> None:
    files = {n: c for n, c in files.items() if not any(o != n and (o + "/").startswith(n + "/") for o in files)}
    files["manifest.json"] = manifest()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=form) as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            try:
                made.addfile(info, io.BytesIO(content))
            except ValueError:  # ustar cannot say long names
                return
    path = tmp_path_factory.mktemp("oracle") / "a.tar.gz"
    path.write_bytes(out.getvalue())
    contents = anyio.run(unpacking.inspect, path)
    found = {p: node.md5 for p, node in contents.layout.nodes.items() if node.md5}
    assert found == {name: md5(content).hexdigest() for name, content in files.items()}


# And whatever is sent: one of our errors or a bundle, and nothing outside.


def raw_member() -> st.SearchStrategy[bytes]:
    name = st.lists(st.sampled_from(["a", "b", "..", ".", "", "manifest.json", "é"]), min_size=1, max_size=4).map(
        "/".join
    )
    return st.builds(
        member,
        name,
        st.binary(max_size=20),
        sort=st.sampled_from([b"0", b"0", b"0", b"1", b"2", b"2", b"5", b"L", b"K", b"x", b"g", b"3", b"S"]),
        link=name,
        mode=st.integers(0, 0o7777),
        size=st.one_of(st.none(), st.none(), st.integers(0, 2000)),
    )


@settings(max_examples=150, deadline=None)
@given(members=st.lists(raw_member(), max_size=6), cut=st.integers(0, 40), flip=st.none() | st.integers(0, 10_000))
def test_whatever_is_sent(
    tmp_path_factory: pytest.TempPathFactory, members: list[bytes], cut: int, flip: int | None
) -> None:
    raw = bytearray(tar(member("manifest.json", manifest()), *members))
    if flip is not None:
        raw[flip % len(raw)] ^= 0x41
    compressed = gz(bytes(raw))
    place = Place(tmp_path_factory.mktemp("fuzz"))
    before = place.outside()
    try:
        into = anyio.run(place.unpack, compressed[: len(compressed) - max(0, cut - 30)])
    except Problem:
        assert not place.into.exists()
    else:
        for path in into.rglob("*"):
            assert path.is_symlink() or path.is_file() or path.is_dir()
            assert not path.is_symlink() or path.resolve().is_relative_to(into.resolve())
    assert place.outside() == before
    for folder, _, _ in os.walk(place.folder):
        Path(folder).chmod(0o700)


@given(st.binary(max_size=300))
def test_any_bytes_as_gzip(raw: bytes) -> None:
    for sent in (raw, zlib.compress(raw, wbits=31)[: max(0, len(raw))]):
        stream = Gunzip(io.BytesIO(sent), SMALL)
        try:
            while stream.read(64):
                pass
        except BundleRefused:
            continue
