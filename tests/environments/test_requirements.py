"""Requirements as clients really send them."""

# ruff: noqa: E501  # a row is a line

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.build_shell import runtime_of

from rostra.environments.errors import BadRequirement
from rostra.environments.requirements import Requirements, markers_of, parse


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / "six-1.17.0-py2.py3-none-any.whl").write_bytes(b"")
    (folder / "wheels" / "old-1.0.tar.gz").write_bytes(b"")
    (folder / "pyproject.toml").write_text("")
    (folder / "sub").mkdir()
    (folder / "sub" / "setup.py").write_text("")
    (folder / "sub" / "more.txt").write_bytes("\ufeffitsdangerous==2.2.0\r\n-r other.txt\r\n".encode("utf-16"))
    (folder / "sub" / "other.txt").write_text("six\n")
    (folder / "plain").mkdir()
    (folder / "loop.txt").write_text("-r loop.txt\n")
    (folder / "out").symlink_to(tmp_path)
    (tmp_path / "secret.txt").write_text("x\n")
    return folder


def read(bundle: Path, text: str | None, **more: object) -> Requirements:
    return parse(text, bundle_dir=bundle, **more)  # type: ignore[arg-type]


HASH = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "normal", "why"),
    [
        (None, [], "the bundle has no file"),
        ("\n# nothing\n", [], "an empty one"),
        ("Flask_Login >= 0.5 , <1", ["flask-login<1,>=0.5"], "names and specifiers are normalised"),
        ("pandas[excel,AWS]==2.0 ; python_version>'3'", ['pandas[AWS,excel]==2.0; python_version > "3"'], "extras, markers"),
        (f"six==1.0 \\\n --hash={HASH}", [f"six==1.0 --hash={HASH}"], "hashes"),
        (f"six==1.0 --hash {HASH}", [f"six==1.0 --hash={HASH}"], "a hash as the next word"),
        ("six\nsix\n", ["six"], "said twice"),
        ("https://x.org/six-1.0-py3-none-any.whl", ["six @ https://x.org/six-1.0-py3-none-any.whl"], "the wheel says its name"),
        ("git+https://x.org/a.git@v1#egg=thing&subdirectory=py", ["thing @ git+https://x.org/a.git@v1#subdirectory=py"], "egg names it"),
        ("git+https://x.org/a.git", ["git+https://x.org/a.git"], "nameless"),
        ("-e git+https://x.org/a.git#egg=thing", ["thing @ git+https://x.org/a.git"], "what pip freeze says of a checkout"),
        ("thing @ git+ssh://git@x.org/a.git@main", ["thing @ git+ssh://git@x.org/a.git@main"], "by name"),
        ("./wheels/six-1.17.0-py2.py3-none-any.whl", ["local wheels/six-1.17.0-py2.py3-none-any.whl"], "a wheel in the bundle"),
        ("wheels/old-1.0.tar.gz", ["local wheels/old-1.0.tar.gz"], "sources in the bundle"),
        ("-e .", ["local ."], "the bundle itself"),
        ("-e .[web] ; python_version > '3'", ['local .[web];python_version > "3"'], "with extras and marker"),
        ("--editable=./sub", ["local sub"], "the long option"),
        ("six @ file:wheels/six-1.17.0-py2.py3-none-any.whl", ["local wheels/six-1.17.0-py2.py3-none-any.whl"], "file: and relative"),
        ("-r sub/more.txt", ["itsdangerous==2.2.0", "six"], "nested, in another encoding, beside itself"),
        ("certifi @ file:///croot/certifi_1700/work/certifi", ["certifi"], "conda, version unreadable"),
        ("certifi @ file:///home/conda/feedstock_root/build_artifacts/certifi-2024.1.2/work", ["certifi==2024.1.2"], "conda, version in the path"),
        ("six @ file:///home/me/six-1.16.0-py2.py3-none-any.whl", ["six==1.16.0"], "a wheel on the author's disk"),
        ("appnope==0.1\npywin32==306; sys_platform=='win32'\nsix", ["six"], "other systems' packages"),
        ("pkg-resources==0.0.0\nsix", ["six"], "a bug of Debian's pip"),
        ("six --install-option=x", ["six"], "an option of its own"),
    ],
)  # fmt: skip
def test_normal_form(bundle: Path, text: str | None, normal: list[str], why: str) -> None:
    assert [entry.normal for entry in read(bundle, text).entries] == normal, why


@pytest.mark.parametrize(
    ("text", "complaint", "why"),
    [
        ("-e ../other", "leads out", "up"),
        ("./wheels/../../x.whl", "leads out", "up, later"),
        ("/etc/passwd.whl", "leads out", "absolute"),
        ("~/thing", "leads out", "somebody's home"),
        ("file:///etc/x.whl", "leads out", "absolute, as an address"),
        ("thing @ file:///home/me/thing", "leads out", "a folder of the author"),
        ("C:\\Users\\me\\x.whl", "leads out", "a drive"),
        ("./out/secret.txt", "leads out", "through a link"),
        ("-r out/secret.txt", "leads out", "through a link, nested"),
        ("-r ../secret.txt", "leads out", "nested"),
        ("-c /etc/passwd", "leads out", "constraints"),
        ("--find-links /opt/wheels", "leads out", "find-links"),
        ("--find-links file:///opt/wheels", "leads out", "find-links, as an address"),
        ("-r https://x.org/r.txt", "outside", "a file elsewhere"),
        ("-r loop.txt", "nests too deeply", "a circle"),
        ("-r sub", "not a file", "a folder"),
        ("-e ./plain", "neither pyproject.toml nor setup.py", "files without a package"),
        ("./plain", "neither pyproject.toml nor setup.py", "the same, not editable"),
        ("./wheels", "neither pyproject.toml nor setup.py", "a folder of wheels"),
        ("./wheels/missing.whl", "not in the bundle", "missing"),
        ("--index-url file:///opt/simple", "not http", "an index on the server's disk"),
        ("foo bar", "not a requirement", "nonsense"),
        ("six==1.0 --hash=sha256:xyz", "hash", "an unreadable hash is not dropped"),
        ("--index-url", "lacks a value", "cut off"),
        ("-r 'unfinished", "cannot be read", "quotes"),
        ("--pre six", "where an option", "two things on a line"),
    ],
)
def test_refused(bundle: Path, text: str, complaint: str, why: str) -> None:
    with pytest.raises(BadRequirement) as refusal:
        read(bundle, "# first\n" + text)
    assert complaint in refusal.value.message, why
    assert refusal.value.line in (1, 2)
    assert f"line {refusal.value.line}" in refusal.value.message
    assert refusal.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("pywin32==306", "line 1: pywin32 is skipped: it only works on Windows"),
        ("appnope", "line 1: appnope is skipped: it only works on macOS"),
        ("--trusted-host x.org", "--trusted-host is not followed"),
        ("--frobnicate", "--frobnicate is not followed"),
        ("-e .", "installed as a copy"),
        ("certifi @ file:///croot/certifi_1/work", "certifi is installed instead"),
        ("six --global-option=x", "--global-option is not followed"),
    ],
)
def test_what_is_dropped_or_changed_is_said(bundle: Path, text: str, said: str) -> None:
    assert any(said in note for note in read(bundle, text).notes)


def test_options_are_collected(bundle: Path) -> None:
    text = (
        "-i https://x.org/simple --extra-index-url=https://y.org/simple\n-f https://z.org/links\n--find-links ./wheels\n"
        "--pre\n--no-binary six,foo\n--no-binary :none:\n--only-binary=:all:\n--require-hashes\n"
    )
    options = read(bundle, text).options
    assert (options.index_url, options.extra_index_urls) == ("https://x.org/simple", ("https://y.org/simple",))
    assert (options.find_links, options.folders) == (("https://z.org/links",), ("wheels",))
    assert (options.pre, options.require_hashes, options.no_binary) == (True, True, ())
    assert options.only_binary == (":all:",)


@pytest.mark.parametrize(
    ("text", "builds", "why"),
    [
        ("six", False, "a wheel may do"),
        ("./wheels/six-1.17.0-py2.py3-none-any.whl", False, "a wheel will do"),
        ("-e .", True, "a folder"),
        ("./wheels/old-1.0.tar.gz", True, "sources"),
        ("git+https://x.org/a.git", True, "a repository"),
        ("thing @ https://x.org/thing-1.0.tar.gz", True, "sources elsewhere"),
        ("thing @ https://x.org/thing-1.0-py3-none-any.whl", False, "a wheel elsewhere"),
        ("--no-binary six\nsix", True, "asked for"),
        ("git+https://x.org/a.git#egg=a ; python_version < '3'", False, "an egg with a marker, not for this Python"),
        ("a @ git+https://x.org/a.git ; python_version < '3'", False, "not for this Python"),
    ],
)
def test_what_must_be_built_is_known_beforehand(bundle: Path, text: str, builds: bool, why: str) -> None:
    assert bool(read(bundle, text).builds) is builds, why


@pytest.mark.parametrize(
    ("text", "added", "why"),
    [
        ("flask", ["ipykernel>=6"], "absent"),
        ("IPyKernel==6.1", [], "present under another spelling"),
        ("ipykernel ; python_version < '3'", ["ipykernel>=6"], "present for other Pythons only"),
    ],
)
def test_additions_only_when_absent(bundle: Path, text: str, added: list[str], why: str) -> None:
    found = read(bundle, text, additions=("ipykernel>=6",))
    assert [entry.text for entry in found.entries if entry.added] == added, why


def test_additions_do_not_break_hash_checking(bundle: Path) -> None:
    found = read(bundle, f"six==1.0 --hash={HASH}\n--require-hashes", additions=("ipykernel",))
    first, second = found.passes
    assert [e.name for e in first.entries] == ["six"]
    assert first.options.require_hashes
    assert [e.name for e in second.entries] == ["ipykernel"]
    assert not second.options.require_hashes


def test_markers_are_those_of_the_runtime() -> None:
    markers = markers_of(runtime_of(version="3.8.18"))
    assert (markers["python_version"], markers["python_full_version"]) == ("3.8", "3.8.18")


def test_credentials_never_reach_a_note(bundle: Path) -> None:
    found = read(bundle, "-e git+https://me:secret@x.org/a.git#egg=a")
    assert found.notes
    assert not any("secret" in note for note in found.notes)


def test_local_lines_point_at_the_copy(bundle: Path, tmp_path: Path) -> None:
    entry = read(bundle, "./wheels/six-1.17.0-py2.py3-none-any.whl ; python_version > '3'").entries[0]
    assert entry.line(tmp_path / "copy") == (
        f'six @ file://{tmp_path}/copy/wheels/six-1.17.0-py2.py3-none-any.whl ; python_version > "3"'
    )


_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}([-_.][A-Za-z0-9]{1,4})?", fullmatch=True)
_VERSIONS = st.from_regex(r"[1-9]\.[0-9]{1,2}(\.[0-9])?", fullmatch=True)


@given(st.lists(st.tuples(_NAMES, st.sampled_from(["==", ">=", "~="]), _VERSIONS), max_size=6))
def test_reading_the_normal_form_changes_nothing(pairs: list[tuple[str, str, str]]) -> None:
    text = "\n".join("".join(pair) for pair in pairs)
    once = parse(text, bundle_dir=Path("/nowhere"))
    again = parse("\n".join(entry.normal for entry in once.entries), bundle_dir=Path("/nowhere"))
    assert [e.normal for e in again.entries] == [e.normal for e in once.entries]


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        found = parse(text, bundle_dir=Path("/nowhere"))
    except BadRequirement as refusal:
        found = refusal.line
    assert found
