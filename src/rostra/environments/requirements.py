"""What a bundle asks for, as clients really write it: read, checked, and said in one normal form.

Promises that every line which is dropped or changed is in ``notes``, and that no path leads out of the bundle.
Reads files of the bundle (nested ``-r``), nothing else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from rostra.environments import elsewhere, requirement_options
from rostra.environments.entry import (
    URL,
    VCS,
    WINDOWS,
    Entry,
    applies,
    at_url,
    extras_of,
    looks_local,
    named,
    wheel_name,
    why_built,
)
from rostra.environments.errors import BadRequirement
from rostra.environments.index import mask
from rostra.environments.requirement_lines import Line, decode, logical_lines, split_options
from rostra.environments.requirement_options import Options
from rostra.runtimes.model import Runtime

_LOCAL = re.compile(r"^(?P<path>.*?)(?P<extras>\[[^\]]*\])?(?P<marker>\s*;.*)?$")
_NESTING = 10
_KEEP = "Keep what it needs inside the bundle, or name a package of the index."


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    entries: tuple[Entry, ...] = ()
    constraints: tuple[Entry, ...] = ()
    options: Options = field(default_factory=Options)
    notes: tuple[str, ...] = ()

    @property
    def local_parts(self) -> tuple[str, ...]:
        """Paths inside the bundle that installing needs, sorted; ``.`` is the whole bundle."""
        return tuple(sorted({e.local for e in (*self.entries, *self.constraints) if e.local} | {*self.options.folders}))

    @property
    def builds(self) -> str:
        """Why code of a package must run while installing, or empty when wheels may do."""
        forced = f"--no-binary {','.join(self.options.no_binary)}" if self.options.no_binary else ""
        return next((e.builds for e in self.entries if e.builds and e.applies), forced)

    @property
    def passes(self) -> tuple[Requirements, ...]:
        """These requirements as installations in turn: where hashes are asked for, additions have none to give."""
        added = tuple(e for e in self.entries if e.added)
        own = tuple(e for e in self.entries if not e.added)
        hashed = self.options.require_hashes or any(e.hashes for e in own)
        if not (added and own and hashed):
            return (self,)
        loose = replace(self.options, require_hashes=False)
        return (replace(self, entries=own), replace(self, entries=added, constraints=(), options=loose))

    def pinned(self, pins: Iterable[str]) -> Requirements:
        """Return the same with ``pins`` (``name==version``) as constraints; a file with hashes is pinned already."""
        if self.options.require_hashes or any(e.hashes for e in self.entries):
            return self
        added = tuple(Entry(text=pin, place="server", name=pin.partition("==")[0]) for pin in pins)
        return replace(self, constraints=(*self.constraints, *added))

    @property
    def names(self) -> frozenset[str]:
        """Normalised names that are asked for here, as far as they can be told."""
        return frozenset(e.name for e in self.entries if e.name and e.applies)


def parse(
    text: str | None,
    *,
    bundle_dir: Path,
    file: str = "requirements.txt",
    markers: Mapping[str, str] | None = None,
    additions: Iterable[str] = (),
) -> Requirements:
    """Return what ``text`` asks for plus those ``additions`` it does not name itself.

    Args:
        text: the file's text, None when the bundle has none.
        bundle_dir: where nested files and local parts are looked for.
        file: the file's path inside the bundle.
        markers: values for environment markers, see ``markers_of``; None: those of this process.
        additions: requirements of the server, in the ordinary form.

    Raises:
        BadRequirement: a line cannot be understood or leads out of the bundle. The error names file and line.
    """
    reader = _Reader(bundle_dir, dict(markers) if markers else _own_markers())
    reader.read(text or "", file, constraint=False, depth=0)
    present = {e.name for e in reader.entries if e.applies}
    for extra in (Requirement(addition) for addition in additions):
        if canonicalize_name(extra.name) not in present:
            entry = named(Line("server", 1, str(extra)), extra, (), reader.markers)
            reader.entries.append(replace(entry, added=True))
            reader.notes.append(f"{extra} is added: the server needs it to run this content")
    return Requirements(
        entries=_distinct(reader.entries),
        constraints=_distinct(reader.constraints),
        options=reader.options,
        notes=tuple(mask(note) for note in reader.notes),
    )


def _distinct(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple({entry.normal: entry for entry in entries}.values())


def markers_of(runtime: Runtime) -> dict[str, str]:
    """Return the values of environment markers on ``runtime``. The system is this one: runtimes are local."""
    version = runtime.version
    names = {"cpython": "CPython", "pypy": "PyPy"}
    return _own_markers() | {
        "python_version": f"{version.major}.{version.minor}",
        "python_full_version": str(version),
        "implementation_name": runtime.implementation,
        "implementation_version": str(version),
        "platform_python_implementation": names.get(runtime.implementation, runtime.implementation),
        "extra": "",
    }


def _own_markers() -> dict[str, str]:
    return {key: str(value) for key, value in default_environment().items()}


class _Reader:
    """Collects entries over nested files."""

    def __init__(self, bundle_dir: Path, markers: dict[str, str]) -> None:
        self.bundle_dir, self.markers = bundle_dir, markers
        self.entries: list[Entry] = []
        self.constraints: list[Entry] = []
        self.notes: list[str] = []
        self.options = Options()

    def read(self, text: str, file: str, *, constraint: bool, depth: int) -> None:
        for line in logical_lines(text, file):
            if line.text.startswith("-"):
                self._option_line(line, constraint=constraint, depth=depth)
            else:
                self._add(self._requirement(line), constraint=constraint)

    def _add(self, entry: Entry | None, *, constraint: bool) -> None:
        if entry is not None:
            (self.constraints if constraint else self.entries).append(entry)

    def _option_line(self, line: Line, *, constraint: bool, depth: int) -> None:
        for name, value in requirement_options.words(line):
            if name in ("-r", "-c"):
                self._nested(line, value, constraint=constraint or name == "-c", depth=depth)
            elif name == "-e":
                self._add(self._editable(line, value), constraint=constraint)
            elif name == "--find-links" and not URL.match(value):
                folder = self._inside(line, value, base=posixpath.dirname(line.file))
                self.options = replace(self.options, folders=(*self.options.folders, folder))
            elif name == "--find-links" and value.lower().startswith("file:"):
                raise BadRequirement(line, "leads out of the bundle", hint=_KEEP)
            else:
                self.options, note = requirement_options.apply(self.options, line, name, value)
                self.notes += [f"{line.place}: {note}"] if note else []

    def _nested(self, line: Line, value: str, *, constraint: bool, depth: int) -> None:
        if URL.match(value):
            raise BadRequirement(line, "names a file outside the bundle", hint="Put that file into the bundle.")
        if depth >= _NESTING:
            raise BadRequirement(
                line, "nests too deeply; files may name each other in a circle", hint="Name each once."
            )
        inside = self._inside(line, value, base=posixpath.dirname(line.file))
        path = self.bundle_dir / inside
        if not path.is_file():
            raise BadRequirement(line, "names something that is not a file", hint="Name a file of the bundle.")
        self.read(decode(path.read_bytes()), inside, constraint=constraint, depth=depth + 1)

    def _editable(self, line: Line, value: str) -> Entry | None:
        self.notes.append(f"{line.place}: {value} is installed as a copy, not editable: environments are shared")
        return self._requirement(replace(line, text=value))

    def _requirement(self, line: Line) -> Entry | None:
        text, options = split_options(line.text)
        hashes, notes = requirement_options.of_requirement(line, options)
        self.notes += [f"{line.place}: {note}" for note in notes]
        if VCS.match(text) or (URL.match(text) and not text.lower().startswith("file:")):
            return self._remote(line, text, hashes)
        if looks_local(text):
            return self._local(line, text, hashes)
        try:
            wanted = Requirement(text)
        except InvalidRequirement as why:
            hint = "Write NAME==VERSION, one to a line."
            raise BadRequirement(line, f"is not a requirement ({str(why).splitlines()[0]})", hint=hint) from why
        return self._checked(line, wanted, hashes)

    def _checked(self, line: Line, wanted: Requirement, hashes: tuple[str, ...]) -> Entry | None:
        name = canonicalize_name(wanted.name)
        if reason := elsewhere.useless_here(name):
            self.notes.append(f"{line.place}: {wanted.name} is skipped: {reason}")
            return None
        if wanted.url and (wanted.url.lower().startswith("file:") or not URL.match(wanted.url)):
            return self._at_file(line, wanted, hashes)
        if wanted.url:
            return at_url(line, wanted, wanted.url, hashes, self.markers)
        return named(line, wanted, hashes, self.markers)

    def _remote(self, line: Line, text: str, hashes: tuple[str, ...]) -> Entry:
        """Read a bare URL; ``#egg=`` names its package."""
        target, _, marker = text.partition(" ;")
        url, _, fragment = target.strip().partition("#")
        parts = dict(part.partition("=")[::2] for part in fragment.split("&") if part)
        egg = parts.pop("egg", "")
        kept = url + ("#" + "&".join(f"{k}={v}" for k, v in parts.items()) if parts else "")
        name = egg or wheel_name(url)
        if not name:
            text = f"{kept} ;{marker}" if marker else kept
            return Entry(text=text, place=line.place, hashes=hashes, builds=why_built(url))
        try:
            wanted = Requirement(f"{name} @ {kept}" + (f" ;{marker}" if marker else ""))
        except InvalidRequirement as why:
            raise BadRequirement(line, "is not an address", hint="Write NAME @ URL.") from why
        return at_url(line, wanted, kept, hashes, self.markers)

    def _at_file(self, line: Line, wanted: Requirement, hashes: tuple[str, ...]) -> Entry | None:
        """Read ``name @ file:...``: a part of the bundle, or what conda's ``pip freeze`` leaves behind."""
        url = wanted.url or ""
        path = unquote(urlsplit(url).path) if url.lower().startswith("file:") else url
        name, marker = canonicalize_name(wanted.name), f";{wanted.marker}" if wanted.marker else ""
        if not path.startswith("/") and not WINDOWS.match(path):
            return self._local(line, path + extras_of(wanted) + marker, hashes, name=name)
        version = elsewhere.version_in(path, name)
        if version is None and not elsewhere.from_conda(path):
            raise BadRequirement(line, "leads out of the bundle", hint=_KEEP)
        pin = f"=={version}" if version else ""
        here = f"{name}{extras_of(wanted)}{pin}" + (f" ; {wanted.marker}" if wanted.marker else "")
        self.notes.append(f"{line.place}: {path} is on the author's machine only; {name}{pin} is installed instead")
        return named(line, Requirement(here), (), self.markers)

    def _local(self, line: Line, text: str, hashes: tuple[str, ...], *, name: str = "") -> Entry:
        found = _LOCAL.match(text.strip())
        assert found is not None  # the expression matches anything
        path, marker = found["path"].strip(), (found["marker"] or "").strip().lstrip(";").strip()
        inside = self._inside(line, path, base="")
        self._check_part(line, inside)
        name = name or wheel_name(inside)
        suffix = (found["extras"] or "") + (f";{Requirement(f'x ; {marker}').marker}" if marker else "")
        return Entry(
            text=f"local {inside}{suffix}",
            place=line.place,
            name=name,
            hashes=hashes,
            local=inside,
            suffix=suffix,
            builds="" if inside.endswith(".whl") else f"{'the bundle' if inside == '.' else inside} is source",
            applies=applies(Requirement(f"x ; {marker}"), self.markers) if marker else True,
        )

    def _check_part(self, line: Line, inside: str) -> None:
        """Say what an installer would say much later, and of another place."""
        part = self.bundle_dir / inside
        if part.is_dir() and not any((part / name).is_file() for name in ("pyproject.toml", "setup.py")):
            why = "names a folder that is no Python package: it has neither pyproject.toml nor setup.py"
            hint = "Remove the line: files of the bundle can be imported as they are. Or add a pyproject.toml."
            raise BadRequirement(line, why, hint=hint)
        if inside.endswith(".whl") and not wheel_name(inside):
            raise BadRequirement(line, "is not the name of a wheel", hint="Keep the name the wheel was built with.")

    def _inside(self, line: Line, path: str, *, base: str) -> str:
        """Return ``path`` relative to the bundle, checked to stay in it and to be there."""
        plain = unquote(path.removeprefix("file:")) if path.lower().startswith("file:") else path
        inside = posixpath.normpath(posixpath.join(base, plain))
        if plain.startswith(("/", "~")) or WINDOWS.match(plain) or "\\" in plain or "\0" in plain:
            raise BadRequirement(line, "leads out of the bundle", hint=_KEEP)
        whole = self.bundle_dir.resolve()
        if inside.startswith("..") or not (whole / inside).resolve().is_relative_to(whole):
            raise BadRequirement(line, "leads out of the bundle", hint=_KEEP)
        if not (whole / inside).exists():
            raise BadRequirement(line, "names something that is not in the bundle", hint="Add it to the bundle.")
        return inside
