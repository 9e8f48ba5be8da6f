"""What content needs beside Python: an R with its packages, a Quarto. Chosen at deploy, recorded, used ever after.

R packages are the server's own: they are compared with what the bundle lists, never installed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from rostra.content import r_sources
from rostra.content.manifest import Manifest
from rostra.content.names import file_inside
from rostra.content.r_sources import Sources
from rostra.content.tables import Bundle
from rostra.errors import Forbidden, Gone, Invalid
from rostra.kinds.kind import Kind
from rostra.runtimes.matching import spelled
from rostra.runtimes.r_matching import RMatch, choose_quarto, choose_r
from rostra.runtimes.r_model import Beside, QuartoInstallation, RInstallation

_T = TypeVar("_T", RInstallation, QuartoInstallation)
_PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9.]{0,199}")
_SHOWN = 30
# Listed by clients although they come with every R, or matter only where the bundle was made.
_NOT_ASKED_FOR = frozenset({"renv", "packrat", "rsconnect", "R"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a manifest says beside Python. ``packages`` maps names to versions, empty when it does not say which.

    ``r_range`` and ``quarto_range`` are what the author says is fine, and then decide.
    ``document`` is what to render, empty when the manifest names none.
    """

    r: Version | None = None
    packages: Mapping[str, str]
    document: str = ""
    quarto: Version | None = None
    engines: tuple[str, ...] = ()
    r_range: SpecifierSet | None = None
    quarto_range: SpecifierSet | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen; None of what is not needed."""

    r: RInstallation | None = None
    quarto: QuartoInstallation | None = None


class LanguageNotHere(Forbidden):
    """The server has no R, or no Quarto, and this content needs one."""

    code = "language-not-here"
    number = 109

    def __init__(self, kind: Kind, language: str) -> None:
        self.name, self.language = kind.name, language
        super().__init__(
            f"{kind.title} content needs {language}, which this server does not have",
            hint=f"Ask an administrator to set [{language}] Enabled = true and to name its program as Executable.",
        )


class PackagesMissing(Invalid):
    """``names`` are the R packages (or ``pandoc``) that are not installed for the chosen R."""

    code = "r-packages-missing"

    def __init__(self, names: Sequence[str], r: RInstallation, sources: Sources = r_sources.NOTHING) -> None:
        self.names, self.version = tuple(names), str(r.version)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        super().__init__(
            f"R {r.version} of this server lacks {r_sources.where(names[:_SHOWN], sources)}{more}",
            hint="R packages are not installed for content: ask an administrator to install them in its library"
            + (f" ({r.libraries[0]})." if r.libraries else "."),
        )


class ProgramGone(Gone):
    """The R or Quarto an item was built for is not on this server any more; ``installed`` is what it has instead."""

    code = "program-gone"

    def __init__(self, language: str, version: str, installed: Sequence[Version] = ()) -> None:
        self.language, self.version, self.installed = language, version, tuple(sorted(installed))
        have = f" (it has {', '.join(map(str, self.installed))})" if installed else ""
        super().__init__(
            f"this content runs on {language} {version}, which this server no longer offers{have}",
            hint="Publish it again, or ask an administrator to put that version back.",
        )


def wish(manifest: Manifest) -> Wish:
    """Return what the manifest says of R and Quarto; what cannot be read counts as not said."""
    raw = manifest.raw
    metadata, quarto = _section(raw, "metadata"), _section(raw, "quarto")
    named = manifest.entrypoint or _text(metadata.get("primary_rmd"))
    engines, environment = quarto.get("engines"), _section(raw, "environment")
    return Wish(
        r=_version(raw.get("platform")),
        packages=_packages(_section(raw, "packages")),
        document=named if file_inside(named) else "",
        quarto=_version(quarto.get("version")),
        engines=tuple(_text(each) for each in engines) if isinstance(engines, list) else (),
        r_range=_range(_section(environment, "r").get("requires")),
        quarto_range=_range(_section(environment, "quarto").get("requires")),
    )


def needs_r(kind: Kind, wanted: Wish) -> bool:
    return kind.r is not None or (kind.quarto and "knitr" in wanted.engines)


def needs_python(kind: Kind, manifest: Manifest) -> bool:
    """Content made with R or Quarto has Python only when its manifest lists a Python."""
    return kind.python or ((kind.r is not None or kind.quarto) and manifest.has_python)


def check(kind: Kind, offer: Beside) -> None:
    """Refuse what this server has no program for, before anything is begun.

    Raises:
        LanguageNotHere
    """
    if kind.r is not None and not offer.r:
        raise LanguageNotHere(kind, "R")
    if kind.quarto and not offer.quarto:
        raise LanguageNotHere(kind, "Quarto")


def choose(kind: Kind, wanted: Wish, offer: Beside, say: Any, sources: Sources = r_sources.NOTHING) -> Chosen:
    """Choose for a new bundle, saying what was decided and why; nothing for content that needs only Python.

    ``sources`` is what its files say: where a package is used, and an renv.lock, which counts where the manifest
    lists no packages.

    Raises:
        LanguageNotHere, NoMatchingR, NoMatchingQuarto, PackagesMissing
    """
    quarto = _chosen_quarto(kind, wanted, offer, say) if kind.quarto else None
    if not needs_r(kind, wanted):
        return Chosen(quarto=quarto)
    if not offer.r:
        raise LanguageNotHere(kind, "R")
    wanted = _with_lock(wanted, sources, say)
    say(f"Bundle requested R version {wanted.r}" if wanted.r else "Bundle requested no R version")
    if wanted.r_range:
        say(f"Bundle requires R {spelled(wanted.r_range)}")
    found = choose_r(wanted.r, offer.policy, offer.r, wanted.r_range)
    say(f"Using R {found.r.version} from {found.r.executable}: {found.reason}")
    for text in found.warnings:
        say(f"Warning: {text}")
    try:
        lines = _compared(kind, wanted, found, sources)
    except PackagesMissing as why:
        for name in why.names[:_SHOWN]:
            version = wanted.packages.get(name)
            say(f"Missing: {name}" + (f", which the bundle has in version {version}" if version else ""))
        raise
    for line in lines:
        say(line)
    return Chosen(r=found.r, quarto=quarto)


def _chosen_quarto(kind: Kind, wanted: Wish, offer: Beside, say: Any) -> QuartoInstallation:
    if wanted.quarto_range:
        say(f"Bundle requires Quarto {spelled(wanted.quarto_range)}")
    found = choose_quarto(wanted.quarto, offer.quarto, wanted.quarto_range)
    if found is None:
        raise LanguageNotHere(kind, "Quarto")
    asked = f" (the bundle was made with {wanted.quarto})" if wanted.quarto else ""
    say(f"Using Quarto {found.version} from {found.executable}{asked}")
    return found


def _with_lock(wanted: Wish, sources: Sources, say: Any) -> Wish:
    if wanted.packages or not sources.locked:
        return wanted
    packages = _packages({name: {"description": {"Version": version}} for name, version in sources.locked.items()})
    say(f"The manifest lists no R packages; renv.lock lists {len(packages)}, which are compared and not installed")
    return dataclasses.replace(wanted, packages=packages, r=wanted.r or _version(sources.locked_r))


def _compared(kind: Kind, wanted: Wish, found: RMatch, sources: Sources) -> list[str]:
    """Return lines about the packages that differ.

    Raises:
        PackagesMissing: some are not installed at all.
    """
    needed = kind.r or ("rmarkdown",)
    missing = sorted({*found.r.lacking(*needed), *found.r.lacking(*wanted.packages)})
    if missing:
        raise PackagesMissing(missing, found.r, sources)
    unlisted = [use for name, use in sorted(sources.uses.items()) if name in found.r.lacking(name)]
    warnings = [
        f"Warning: {use} uses {use.package}, which R {found.r.version} of this server lacks"
        for use in unlisted[:_SHOWN]
    ]
    if not wanted.packages:
        return warnings
    here = found.r.packages
    other = [
        f"{name} {here[name]} instead of {version}"
        for name, version in sorted(wanted.packages.items())
        if version and here[name] != version
    ]
    lines = [f"All {len(wanted.packages)} R packages of the bundle are in the server's library"]
    if other:
        more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
        lines.append(f"Of these it has other versions: {', '.join(other[:_SHOWN])}{more}")
    return [*warnings, *lines]


def recorded(kind: Kind, wanted: Wish, bundle: Bundle, offer: Beside) -> Chosen:
    """Return what a bundle that was built before runs on: what is recorded, or the same version elsewhere.

    Raises:
        ProgramGone: it is not there any more.
    """
    quarto = _same("Quarto", bundle.quarto_version, bundle.quarto_path, offer.quarto) if kind.quarto else None
    r = _same("R", bundle.r_version, bundle.r_path, offer.r) if needs_r(kind, wanted) else None
    return Chosen(r=r, quarto=quarto)


class Recorded(Protocol):
    """What is recorded of a choice; a `Bundle` has it."""

    @property
    def r_version(self) -> str | None: ...
    @property
    def r_path(self) -> str | None: ...
    @property
    def quarto_version(self) -> str | None: ...
    @property
    def quarto_path(self) -> str | None: ...


def gone(built: Recorded, offer: Beside) -> ProgramGone | None:
    """Return why what is recorded cannot be used any more; None when it can, or when nothing is."""
    try:
        if built.r_version is not None:
            _same("R", built.r_version, built.r_path, offer.r)
        if built.quarto_version is not None:
            _same("Quarto", built.quarto_version, built.quarto_path, offer.quarto)
    except ProgramGone as why:
        return why
    return None


def _same(language: str, version: str | None, path: str | None, there: Sequence[_T]) -> _T:
    same = [each for each in there if str(each.version) == version]
    found = next((each for each in same if str(each.executable) == path), same[0] if same else None)
    if found is None:
        raise ProgramGone(language, version or "unknown", [each.version for each in there])
    return found


def facts(chosen: Chosen) -> dict[str, object]:
    """Return what is recorded of a choice, by column."""
    found: dict[str, object] = {}
    if chosen.r is not None:
        found |= {"r_version": str(chosen.r.version), "r_path": str(chosen.r.executable)}
    if chosen.quarto is not None:
        found |= {"quarto_version": str(chosen.quarto.version), "quarto_path": str(chosen.quarto.executable)}
    return found


def _section(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _version(value: Any) -> Version | None:
    try:
        return Version(_text(value)[:64]) if value else None
    except InvalidVersion:
        return None


def _range(value: Any) -> SpecifierSet | None:
    try:
        return SpecifierSet(_text(value)[:1000]) or None
    except InvalidSpecifier:
        return None


def _packages(listed: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for name, entry in listed.items():
        if _PACKAGE.fullmatch(name) and name not in _NOT_ASKED_FOR:
            description = _section(entry, "description") if isinstance(entry, dict) else {}
            found[name] = _text(description.get("Version"))[:64]
    return found
