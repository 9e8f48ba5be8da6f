"""Reads ``manifest.json``: what a bundle says of itself. Pure: bytes in, a value or one error out.

Promises that whatever a stranger wrote either becomes a `Manifest` whose every field has its stated type, or raises
`InvalidManifest` naming the key. Unknown keys are kept in ``raw`` and otherwise ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from rostra.content.errors import InvalidManifest, shown
from rostra.content.names import components, file_inside, legal_entrypoint, path_fault, storable

MAX_BYTES = 16_000_000
_MAX_VALUES = 1_000_000  # a small text can hold very many values, each of them costly in memory
_MAX_DEPTH = 32
_MODE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MODE_ALIASES = {"nodejs-api": "nodejs"}
_MD5 = re.compile(r"[0-9a-fA-F]{32}")
_FROM_PYTHON = "Write for example 3.11.4, as `python --version` says."

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """``app_mode`` has the wire's grammar; whether this server has such a kind is not decided here.

    ``python`` is the author's version and ``requires`` the range; both None: the bundle does not say (see
    ``has_python``). ``package_file`` is a path inside the bundle, ``""`` without Python; the file may be absent.
    ``allow_uv`` and ``manage_python``: None lets the server decide. ``files`` maps paths to lower-case MD5; it is
    advisory and may be empty or name files that are not there.
    """

    app_mode: str
    entrypoint: str = ""
    primary_html: str = ""
    content_category: str = ""
    has_parameters: bool = False
    has_python: bool = False
    python: Version | None = None
    requires: SpecifierSet | None = None
    package_file: str = ""
    package_manager: str = ""
    allow_uv: bool | None = None
    manage_python: bool | None = None
    image: str = ""
    hide_all_input: bool = False
    hide_tagged_input: bool = False
    files: Mapping[str, str]
    has_r: bool = False
    raw: dict[str, Any]


def read(raw: bytes) -> Manifest:
    """Return what the bytes of a ``manifest.json`` say.

    Raises:
        InvalidManifest: the file or one of its keys cannot be used; says which key and what is expected.
    """
    data = _parse(raw)
    root = _Section(data, "")
    _check_version(root)
    metadata, python = root.section("metadata"), root.section("python")
    manager, environment = python.section("package_manager"), root.section("environment")
    jupyter = root.section("jupyter")
    return Manifest(
        app_mode=_app_mode(metadata),
        entrypoint=_entrypoint(metadata),
        primary_html=_path(metadata, "primary_html"),
        content_category=metadata.text("content_category", most=64),
        has_parameters=metadata.flag("has_parameters") or False,
        has_python="python" in data,
        python=python.parsed("version", _version, _FROM_PYTHON, most=64),
        requires=environment.section("python").parsed(
            "requires", _range, "Write a range as in PEP 440, for example ~=3.11.0 or >=3.9,<3.13.", most=1000
        ),
        package_file=_path(manager, "package_file") or ("requirements.txt" if "python" in data else ""),
        package_manager=manager.text("name", most=64),
        allow_uv=manager.flag("allow_uv"),
        manage_python=environment.section("environment_management").flag("python"),
        image=environment.text("image", most=1000),
        hide_all_input=jupyter.flag("hide_all_input") or False,
        hide_tagged_input=jupyter.flag("hide_tagged_input") or False,
        files=MappingProxyType(_files(root)),
        has_r=bool(root.text("platform", most=64)) or bool(root.section("packages").values),
        raw=data,
    )


@dataclass(frozen=True, slots=True)
class _Section:
    """One object of the file. A key that is absent and one that is null mean the same, as some writers send null."""

    values: Mapping[str, Any]
    path: str

    def key(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def wrong(self, name: str, wrong: str, hint: str = "") -> NoReturn:
        raise InvalidManifest(self.key(name), wrong, hint=hint)

    def section(self, name: str) -> _Section:
        value = self.values.get(name)
        if value is not None and not isinstance(value, dict):
            self.wrong(name, f"expected an object, not {shown(value, 40)}")
        return _Section(value or {}, self.key(name))

    def text(self, name: str, *, most: int) -> str:
        value = self.values.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            self.wrong(name, f"expected a text, not {shown(value, 40)}")
        if len(value) > most:
            self.wrong(name, f"expected at most {most} characters, not {len(value)}")
        return value

    def flag(self, name: str) -> bool | None:
        value = self.values.get(name)
        if value is None or isinstance(value, bool):
            return value
        return self.wrong(name, f"expected true or false, not {shown(value, 40)}")

    def parsed(self, name: str, parse: Callable[[str], T], hint: str, *, most: int) -> T | None:
        text = self.text(name, most=most).strip()
        try:
            return parse(text) if text else None
        except ValueError:
            self.wrong(name, f"{shown(text, 80)} cannot be read", hint)


def _version(text: str) -> Version:
    return Version(text.removesuffix("+"))  # a Python built from a working copy calls itself 3.13.0+


def _range(text: str) -> SpecifierSet:
    return SpecifierSet(text)


def _check_version(root: _Section) -> None:
    version = root.values.get("version")
    if type(version) is not int or version != 1:
        root.wrong("version", f"expected 1, not {shown(version, 40)}")


def _app_mode(metadata: _Section) -> str:
    mode = metadata.text("appmode", most=1000)
    if not _MODE.fullmatch(mode):
        metadata.wrong("appmode", f"expected the type of the content, such as python-fastapi, not {shown(mode, 60)}")
    return _MODE_ALIASES.get(mode, mode)


def _entrypoint(metadata: _Section) -> str:
    text = metadata.text("entrypoint", most=100_000)
    if not legal_entrypoint(text):
        metadata.wrong(
            "entrypoint",
            f"{shown(text, 80)} is not something to start",
            "Name a module (app), an object in one (app:server), or a file of the bundle (app.py, report.ipynb).",
        )
    return text


def _path(section: _Section, name: str) -> str:
    path = section.text(name, most=100_000)
    if path and not file_inside(path):
        section.wrong(
            name, f"{shown(path, 80)} is not a file of the bundle", "Give a path relative to the bundle's folder."
        )
    return path.removeprefix("./")


def _files(root: _Section) -> dict[str, str]:
    listed = root.section("files")
    sums: dict[str, str] = {}
    for path, entry in listed.values.items():
        parts = components(path)
        if not parts or path_fault(path):
            listed.wrong(shown(path, 80), f"{path_fault(path) or 'it is empty'}; expected a path inside the bundle")
        if entry is not None and not isinstance(entry, dict):
            listed.wrong(shown(path, 80), f"expected an object with a checksum, not {shown(entry, 40)}")
        checksum = _Section(entry or {}, listed.key(shown(path, 80))).text("checksum", most=1000)
        if checksum and not _MD5.fullmatch(checksum):
            listed.wrong(shown(path, 80), f"expected an MD5 of 32 hexadecimal digits, not {shown(checksum, 40)}")
        sums["/".join(parts)] = checksum.lower()
    return sums


def _parse(raw: bytes) -> dict[str, Any]:
    if len(raw) > MAX_BYTES or sum(raw.count(mark) for mark in (b",", b"[", b"{")) > _MAX_VALUES:
        raise InvalidManifest("", f"is too large: at most {MAX_BYTES} bytes and {_MAX_VALUES} values")
    try:
        text = raw.decode("utf-8-sig")
        data = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except UnicodeDecodeError as why:
        raise InvalidManifest("", f"is not UTF-8 text (byte {why.start})") from why
    except RecursionError:
        raise InvalidManifest("", f"is nested deeper than {_MAX_DEPTH} levels") from None
    except ValueError as why:
        raise InvalidManifest("", f"is not JSON: {shown(why)}") from why
    if not isinstance(data, dict):
        raise InvalidManifest("", "holds no object", hint="It begins with { and has at least version and metadata.")
    _check_everywhere(data)
    return data


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidManifest(shown(key, 80), "is there twice; expected once")
        found[key] = value
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _check_everywhere(data: dict[str, Any]) -> None:
    """The file is kept as it is, so everything in it must fit into a database and be shallow enough to write again."""
    waiting: list[tuple[Any, int]] = [(data, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise InvalidManifest("", f"is nested deeper than {_MAX_DEPTH} levels")
        if isinstance(value, dict):
            waiting.extend((key, depth + 1) for key in value)
            waiting.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            waiting.extend((inner, depth + 1) for inner in value)
        elif isinstance(value, str) and not storable(value):
            raise InvalidManifest("", f"holds text that cannot be stored: {shown(value, 60)}")
