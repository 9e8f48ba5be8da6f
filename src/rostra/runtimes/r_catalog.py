"""The Rs and Quartos of this server: every one looked at, which can be used, and what to say about the others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version

from rostra.config import sections
from rostra.config.load import Source
from rostra.runtimes.model import Policy
from rostra.runtimes.quarto import Found, probe_quarto
from rostra.runtimes.r_model import Beside, RInstallation
from rostra.runtimes.r_probe import RProbe, probe_r

# What each sort of content needs of an R besides the packages it names itself.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "R Markdown": ("rmarkdown", "pandoc"),
    "Shiny": ("shiny",),
    "Plumber": ("plumber",),
    "Python from R": ("reticulate",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideRow:
    """One configured (or found) R or Quarto. ``problem`` says why it cannot be used, ``note`` what it cannot do."""

    language: str  # R, Quarto
    executable: Path
    version: Version | None = None
    place: str = ""
    problem: str = ""
    note: str = ""
    seconds: float = 0.0
    remembered: bool = False

    @property
    def complaint(self) -> str:
        """Return what is wrong with a line of the configuration; empty for what was found by searching."""
        wrong = self.problem and self.place
        return f"{self.place}: [{self.language}] Executable: {self.executable} {self.problem}" if wrong else ""

    @property
    def remedy(self) -> str:
        """Return what to do about it."""
        return f"correct {self.place} or remove it, then: rostra reload" if self.complaint else ""

    def cells(self) -> tuple[str, str, str, str]:
        verdict = self.problem or "usable"
        return (
            f"{self.language:<6}",  # as wide as "Python"
            str(self.version or "-"),
            str(self.executable),
            f"{verdict}; {self.note}" if self.note else verdict,
        )

    def to_json(self) -> dict[str, object]:
        return {
            "language": self.language,
            "version": str(self.version) if self.version else None,
            "path": str(self.executable),
            "usable": not self.problem,
            "problem": self.problem or None,
            "note": self.note or None,
            "place": self.place or None,
            "seconds": round(self.seconds, 4),
            "remembered": self.remembered,
        }


@dataclass(frozen=True, slots=True)
class BesideCatalog:
    """What there is beside Python, and a row for everything looked at, in configured order."""

    offer: Beside = field(default_factory=Beside)
    rows: tuple[BesideRow, ...] = ()

    def lines(self) -> list[str]:
        """Return the table for the log, one line for each."""
        cells = [row.cells() for row in self.rows]
        widths = [max((len(cell[column]) for cell in cells), default=0) for column in range(3)]
        return ["  ".join([*(text.ljust(width) for text, width in zip(c, widths, strict=False)), c[3]]) for c in cells]


async def open_beside(
    r: sections.R,
    quarto: sections.Quarto,
    *,
    memory: Path | None,
    sources: Mapping[str, Source] | None = None,
    environ: Mapping[str, str] | None = None,
) -> BesideCatalog:
    """Look at what is configured; nothing of what is not enabled. ``memory`` is a folder for what they said."""
    r_file, quarto_file = (memory and memory / "r.json"), (memory and memory / "quarto.json")
    paths = _r_paths(r, environ) if r.enabled else ()
    probes = await probe_r(paths, timeout=r.probe_timeout, memory=r_file)
    programs = quarto.executable if quarto.enabled else ()
    quartos = await probe_quarto(programs, timeout=quarto.probe_timeout, memory=quarto_file)
    rows = [_r_row(found, place) for found, place in zip(probes, _places("R", len(probes), sources), strict=True)]
    places = _places("Quarto", len(quartos), sources)
    rows += [_quarto_row(path, found, place) for (path, found), place in zip(quartos, places, strict=True)]
    offer = Beside(
        r=tuple(each.installation() for each in _once(probes)),
        quarto=tuple(found for _, found in quartos if not isinstance(found, str)),
        policy=Policy(r.version_matching),
    )
    return BesideCatalog(offer, tuple(rows))


def _r_paths(r: sections.R, environ: Mapping[str, str] | None) -> tuple[Path, ...]:
    if r.executable:
        return r.executable
    return discover_r(os.environ if environ is None else environ) if r.executable_scanning else ()


def discover_r(environ: Mapping[str, str], root: Path = Path("/opt/R")) -> tuple[Path, ...]:
    """Return the Rs below ``root`` and the one on the path, each real file once. Starts nothing."""
    found: dict[str, Path] = {}
    for path in sorted(root.glob("*/bin/R")):
        found.setdefault(os.path.realpath(path), path)
    on_path = shutil.which("R", path=environ.get("PATH", ""))
    if on_path and on_path.startswith("/"):
        found.setdefault(os.path.realpath(on_path), Path(on_path))
    return tuple(found.values())


def _once(probes: Sequence[RProbe]) -> Sequence[RProbe]:
    """Return those that can be used, no program twice; of two paths to it the first."""
    found: dict[str, RProbe] = {}
    for each in probes:
        if each.answer is not None:
            found.setdefault(os.path.realpath(each.executable), each)
    return tuple(found.values())


def lacks(installation: RInstallation) -> str:
    """Return in words what this R cannot do for want of packages or programs; empty when it can do everything."""
    missing = {title: installation.lacking(*needed) for title, needed in NEEDS.items()}
    return "; ".join(f"no {title}: {', '.join(names)} not installed" for title, names in missing.items() if names)


def _r_row(found: RProbe, place: str) -> BesideRow:
    return BesideRow(
        language="R",
        executable=found.executable,
        version=found.answer.version if found.answer else None,
        place=place,
        problem=found.problem,
        note=lacks(found.installation()) if found.answer else "",
        seconds=found.seconds,
        remembered=found.remembered,
    )


def _quarto_row(path: Path, found: Found, place: str) -> BesideRow:
    if isinstance(found, str):
        return BesideRow(language="Quarto", executable=path, place=place, problem=found)
    return BesideRow(language="Quarto", executable=path, place=place, version=found.version)


def _places(section: str, count: int, sources: Mapping[str, Source] | None) -> tuple[str, ...]:
    places = sources[f"{section}.Executable"].places if sources else ()
    return places if len(places) == count else ("",) * count
