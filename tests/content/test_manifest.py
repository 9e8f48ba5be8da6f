import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.content import manifest
from rostra.content.errors import InvalidManifest

FASTAPI = {
    "version": 1,
    "locale": "en_US.UTF-8",
    "metadata": {"appmode": "python-fastapi", "entrypoint": "main:api"},
    "environment": {
        "image": "an/image:1",
        "environment_management": {"python": False},
        "python": {"requires": "~=3.11.0"},
    },
    "python": {
        "version": "3.11.4",
        "package_manager": {"name": "uv", "version": "24.0", "package_file": "deps/req.txt", "allow_uv": True},
    },
    "jupyter": {"hide_all_input": True},
    "files": {"main.py": {"checksum": "D41D8CD98F00B204E9800998ECF8427E"}, "./sub/a.txt": {"checksum": "0" * 32}},
}


def with_(path: str, value: Any) -> bytes:
    """The FastAPI manifest with one key replaced; ``path`` is dotted."""
    data = json.loads(json.dumps(FASTAPI))
    *way, last = path.split(".")
    place = data
    for step in way:
        place = place.setdefault(step, {})
    place[last] = value
    return json.dumps(data).encode()


def test_everything_a_client_writes_is_read() -> None:
    read = manifest.read(json.dumps(FASTAPI).encode())
    assert (read.app_mode, read.entrypoint) == ("python-fastapi", "main:api")
    assert (read.python, read.requires) == (Version("3.11.4"), SpecifierSet("~=3.11.0"))
    assert (read.package_manager, read.package_file, read.allow_uv) == ("uv", "deps/req.txt", True)
    assert (read.manage_python, read.image) == (False, "an/image:1")
    assert (read.hide_all_input, read.hide_tagged_input) == (True, False)
    assert read.files == {"main.py": "d41d8cd98f00b204e9800998ecf8427e", "sub/a.txt": "0" * 32}
    assert (read.has_python, read.has_r, read.raw) == (True, False, FASTAPI)


def test_the_smallest_manifest() -> None:
    read = manifest.read(b'{"version": 1, "metadata": {"appmode": "static"}}')
    assert (read.entrypoint, read.primary_html, read.package_file, read.files) == ("", "", "", {})
    assert (read.python, read.requires, read.allow_uv, read.manage_python) == (None, None, None, None)
    assert not read.has_python


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\xef\xbb\xbf" + json.dumps(FASTAPI).encode(), "editors on Windows write a byte order mark"),
        (with_("metadata.primary_rmd", None), "R writes null where it has nothing"),
        (with_("metadata.has_parameters", None), "R writes null where it has nothing"),
        (with_("python.version", None), "null is the same as absent"),
        (with_("python.version", "3.13.0+"), "a Python built from a working copy"),
        (with_("python.version", "3.14.0rc1"), "a pre-release"),
        (with_("environment.python.requires", ""), "an empty range says nothing"),
        (with_("environment.python.requires", "==3.11.*"), "from .python-version"),
        (with_("files", {}), "notebook --static sends an empty map"),
        (with_("files", {"a.py": {}}), "no checksum is no promise"),
        (with_("something.new", {"deep": [1, 2]}), "unknown keys are for somebody else"),
        (with_("metadata.appmode", "nodejs-api"), "an older name"),
    ],
)
def test_odd_but_legal(raw: bytes, why: str) -> None:
    assert manifest.read(raw).app_mode in ("python-fastapi", "nodejs"), why


def test_r_is_noticed() -> None:
    assert manifest.read(with_("platform", "4.3.1")).has_r
    assert manifest.read(with_("packages", {"shiny": {"Source": "CRAN"}})).has_r
    assert not manifest.read(with_("packages", {})).has_r


@pytest.mark.parametrize(
    ("raw", "key", "why"),
    [
        (b"", "", "empty"),
        (b"\xff\xfe{\x00}\x00", "", "UTF-16"),
        (b'{"version": 1, "metadata": {"appmode": "caf\xe9"}}', "", "Latin-1"),
        (b"{", "", "cut off"),
        (b"[]", "", "not an object"),
        (b"null", "", "not an object"),
        (b'"static"', "", "not an object"),
        (b"[" * 100_000, "", "deeper than the parser's stack"),
        (b'{"version": 1, "x": ' + b"[" * 40 + b"]" * 40 + b"}", "", "deep, but not for the parser"),
        (b'{"version": 1, "version": 1}', "'version'", "the same key twice"),
        (b'{"metadata": {"appmode": "static", "appmode": "python-api"}}', "'appmode'", "the same key twice, inside"),
        (b'{"version": NaN}', "", "not JSON at all"),
        (b'{"version": ' + b"9" * 5000 + b"}", "", "a number with thousands of digits"),
        (b'{"version": 1, "a": "\\ud800"}', "", "half a surrogate pair fits into no database"),
        (b'{"version": 1, "a": {"x\\u0000": 1}}', "", "NUL fits into no database"),
        (b" " * (manifest.MAX_BYTES + 1), "", "too many bytes"),
        (b"[" + b"[]," * 600_000 + b"[]]", "", "few bytes, many values"),
        (b"{}", "version", "no version"),
        (with_("version", 2), "version", "another version"),
        (with_("version", "1"), "version", "a text"),
        (with_("version", True), "version", "true is not 1"),
        (b'{"version": 1}', "metadata.appmode", "no metadata"),
        (with_("metadata", []), "metadata", "a list"),
        (with_("metadata", "static"), "metadata", "a text"),
        (with_("metadata.appmode", None), "metadata.appmode", "null"),
        (with_("metadata.appmode", ""), "metadata.appmode", "empty"),
        (with_("metadata.appmode", 8), "metadata.appmode", "the old number"),
        (with_("metadata.appmode", "../x"), "metadata.appmode", "a path"),
        (with_("metadata.appmode", "static\n"), "metadata.appmode", "a line end"),
        (with_("metadata.entrypoint", 1), "metadata.entrypoint", "a number"),
        (with_("metadata.primary_html", "../../etc/passwd"), "metadata.primary_html", "outside"),
        (with_("metadata.has_parameters", "no"), "metadata.has_parameters", "a text"),
        (with_("metadata.content_category", ["x"]), "metadata.content_category", "a list"),
        (with_("python", "3.11"), "python", "a text"),
        (with_("python.version", 3.11), "python.version", "a number loses 3.10's zero"),
        (with_("python.version", "three"), "python.version", "not a version"),
        (with_("python.version", "9" * 65), "python.version", "too long"),
        (with_("python.package_manager", []), "python.package_manager", "a list"),
        (with_("python.package_manager.package_file", "../r.txt"), "python.package_manager.package_file", "up"),
        (with_("python.package_manager.package_file", "/r.txt"), "python.package_manager.package_file", "absolute"),
        (with_("python.package_manager.package_file", "a\0b"), "", "NUL"),
        (with_("python.package_manager.package_file", "x" * 5000), "python.package_manager.package_file", "too long"),
        (with_("python.package_manager.package_file", "folder/"), "python.package_manager.package_file", "a folder"),
        (with_("python.package_manager.allow_uv", "true"), "python.package_manager.allow_uv", "a text"),
        (with_("python.package_manager.allow_uv", 1), "python.package_manager.allow_uv", "a number"),
        (with_("environment", [1]), "environment", "a list"),
        (with_("environment.python", "3"), "environment.python", "a text"),
        (with_("environment.python.requires", ">=3.9,"), None, "some readers take a trailing comma"),
        (with_("environment.python.requires", "3.11"), "environment.python.requires", "no operator"),
        (with_("environment.python.requires", "python>3"), "environment.python.requires", "not a range"),
        (with_("environment.environment_management.python", 0), "environment.environment_management.python", "zero"),
        (with_("environment.image", {}), "environment.image", "an object"),
        (with_("jupyter", True), "jupyter", "a flag"),
        (with_("jupyter.hide_all_input", "yes"), "jupyter.hide_all_input", "a text"),
        (with_("files", ["app.py"]), "files", "a list"),
        (with_("files", {"app.py": "0" * 32}), "files.'app.py'", "no object"),
        (with_("files", {"app.py": {"checksum": "abc"}}), "files.'app.py'", "not an MD5"),
        (with_("files", {"app.py": {"checksum": 5}}), "files.'app.py'.checksum", "a number"),
        (with_("files", {"../x": {"checksum": "0" * 32}}), "files.'../x'", "outside"),
        (with_("files", {"": {}}), "files.''", "no path"),
        (with_("packages", "all"), "packages", "a text"),
    ],
)
def test_refused(raw: bytes, key: str | None, why: str) -> None:
    if key is None:
        manifest.read(raw)
        return
    with pytest.raises(InvalidManifest) as told:
        manifest.read(raw)
    assert told.value.key == key, why
    assert told.value.number == 38
    assert told.value.hint
    assert len(told.value.message) < 400
    assert told.value.message.isprintable()


LEGAL_ENTRYPOINTS = [
    ("", "voila with several notebooks"),
    ("app", "a module"),
    ("app:app", "an object of it"),
    ("main:api.wsgi", "an attribute of an object"),
    ("myproj.__connect__:app", "a package"),
    ("app.py", "a file name, from a project file"),
    ("app-main", "scripts are found as app-*.py and named without .py"),
    ("1_Home", "a Streamlit page"),
    ("shiny.express.app:app_2e_py", "Shiny Express, escaped"),
    ("report.ipynb", "a notebook"),
    ("My report (final).ipynb", "people name notebooks as they like"),
    ("notebooks/été.ipynb", "in a folder, accented"),
    ("index.html", "a page"),
    ("doc/index.qmd", "Quarto"),
    ("server.ts", "Node"),
    ("src/app.js", "Node"),
]
ILLEGAL_ENTRYPOINTS = [
    ("__import__('os').system('x')", "a call"),
    ("app;import os", "two statements"),
    ("app:app()", "a call of the object"),
    ("app:create_app(1)", "a call with arguments"),
    ("app main", "a space"),
    (" app", "a space before"),
    ("app\n", "a line end"),
    ("app\nimport os", "another line"),
    ("/etc/passwd", "absolute"),
    ("/app.py", "absolute"),
    ("../app.py", "up"),
    ("a/../../app.py", "up, later"),
    ("..", "up"),
    ("a//b.py", "not normal"),
    ("-c", "an option"),
    ("--help.ipynb", "an option in disguise"),
    ("app:", "no object"),
    (":app", "no module"),
    ("a:b:c", "two colons"),
    ("a..b", "an empty part"),
    ("app:1x", "no identifier"),
    ("$(id)", "shell"),
    ("`id`", "shell"),
    ("a|b", "shell"),
    ("a\\b.py", "a backslash"),
    ("a\0b", "NUL"),
    ("app.py/", "a folder"),
    ("x" * 600, "long"),
    ("lambda: 0", "an expression"),
    ("a if b else c", "an expression"),
]


@pytest.mark.parametrize(("text", "why"), LEGAL_ENTRYPOINTS)
def test_legal_entrypoints(text: str, why: str) -> None:
    assert manifest.read(with_("metadata.entrypoint", text)).entrypoint == text, why


@pytest.mark.parametrize(("text", "why"), ILLEGAL_ENTRYPOINTS)
def test_entrypoints_that_are_code_or_elsewhere(text: str, why: str) -> None:
    with pytest.raises(InvalidManifest) as told:
        manifest.read(with_("metadata.entrypoint", text))
    assert told.value.key in ("metadata.entrypoint", ""), why


def grammar_accepts(text: str) -> bool:
    """An independent reading of the stated forms, part by part instead of by one expression."""
    if len(text) > 512 or text != text.strip() or text.startswith("-"):
        return False
    return text == "" or _is_import(text) or _is_file(text)


def _is_import(text: str) -> bool:
    module, colon, target = text.partition(":")
    parts = all(p and _word(p[0]) and all(_word(c) or c == "-" for c in p) for p in module.split("."))
    return parts and (not colon or all(re.fullmatch(r"[^\W\d]\w*", p) for p in target.split(".")))


def _is_file(text: str) -> bool:
    parts = text.removeprefix("./").split("/")
    control = any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
    if control or "\\" in text or any(p in ("", ".", "..") for p in parts):
        return False
    stem, dot, extension = parts[-1].rpartition(".")
    if not dot or not stem:
        return False
    if extension.lower() in ("ipynb", "html", "htm", "qmd", "md", "rmd"):
        return len(text.encode()) <= 1024 and all(len(p.encode()) <= 255 for p in parts) and len(parts) <= 64
    plain = all(_word(c) or c in "+-./" for c in text) and "" not in parts[-1].split(".")
    return plain and len(extension) <= 10 and all(map(_word, extension))


def _word(letter: str) -> bool:
    return re.fullmatch(r"\w", letter) is not None


pieces = st.sampled_from(
    ["app", "a-b", "1x", "été", ".", ":", "/", "..", " ", "-", "(", "'", ";", ".py", ".ipynb", "\t", "_"]
)


@given(st.one_of(st.lists(pieces, max_size=7).map("".join), st.text(max_size=12)))
def test_an_entrypoint_is_accepted_exactly_when_the_grammar_says_so(text: str) -> None:
    try:
        manifest.read(json.dumps({"version": 1, "metadata": {"appmode": "static", "entrypoint": text}}).encode())
        accepted = True
    except InvalidManifest:
        accepted = False
    assert accepted == grammar_accepts(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
KEYS = [
    "version",
    "metadata",
    "metadata.appmode",
    "metadata.entrypoint",
    "python",
    "python.version",
    "python.package_manager",
    "files",
    "environment",
    "environment.python",
    "environment.python.requires",
    "jupyter",
    "packages",
    "platform",
]


@given(st.sampled_from(KEYS), json_values)
def test_wrong_types_anywhere_are_a_manifest_error_or_fine(path: str, value: Any) -> None:
    with contextlib.suppress(InvalidManifest):
        manifest.read(with_(path, value))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_error(raw: bytes) -> None:
    with pytest.raises(InvalidManifest):
        manifest.read(raw)
