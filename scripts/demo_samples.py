"""Publishes one sample after another, each on the next Python that fits it, and opens it as a visitor would."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_server import BIN, Demo, environment
from packaging.specifiers import SpecifierSet

_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_LAST_LINES = 6


@dataclass(frozen=True, slots=True)
class Sample:
    """``python`` says which versions its packages still support; ``needs`` which language beside Python it uses."""

    folder: Path
    title: str
    kind: str
    deploy: tuple[str, ...]
    python: SpecifierSet
    needs: str | None

    @staticmethod
    def read(folder: Path, told: dict[str, Any]) -> Sample:
        fits = SpecifierSet(told.get("python", ""))
        return Sample(folder, told["title"], told["kind"], tuple(told["deploy"]), fits, told.get("needs"))

    def digest(self) -> str:
        """Return a name for exactly these files."""
        found = hashlib.sha256()
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            found.update(f"{path.relative_to(self.folder)}\0".encode() + path.read_bytes() + b"\0")
        return found.hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the demonstration. ``why`` is empty when the sample answers."""

    title: str
    url: str
    python: str
    seconds: float
    kept: bool = False
    why: str = ""

    @property
    def good(self) -> bool:
        return not self.why

    def __str__(self) -> str:
        on = f"Python {self.python}" if self.python else "no program"
        took = "kept" if self.kept else f"{self.seconds:.1f} s"
        line = f"{'ok    ' if self.good else 'FAILED'}  {self.title:<32}  {on:<15}  {took:>7}  {self.url}"
        return line.rstrip() + "".join(f"\n        {text}" for text in self.why.splitlines())


class Desk:
    """Remembers in the demonstration's folder what was published as what."""

    def __init__(self, demo: Demo, pythons: Sequence[str]) -> None:
        self._demo, self._pythons = demo, newest_of_each_minor(pythons)
        self._memory = demo.folder / "published.json"
        self._known: dict[str, dict[str, str]] = json.loads(self._memory.read_text()) if self._memory.exists() else {}

    def open(self, sample: Sample, number: int, say: Callable[[str], object]) -> Outcome:
        """Publish the sample unless this very one is there, and open it."""
        begun, digest = time.monotonic(), sample.digest()
        known = self._known.get(sample.folder.name, {})
        there = bool(known) and self._demo.ask(f"/__api__/v1/content/{known['guid']}")[0] == 200
        if not there or known["digest"] != digest:
            output, code = self._publish(sample, number, say, again=there)
            if code:
                return Outcome(sample.title, "", "", time.monotonic() - begun, why=last_lines(output))
            known = {"guid": re.findall(r"#/apps/([0-9a-f-]{36})", output)[-1], "digest": digest}
            self._remember(sample.folder.name, known)
            there = False
        say("opening")
        return self._opened(sample, known["guid"], begun, kept=there)

    def _opened(self, sample: Sample, guid: str, begun: float, *, kept: bool) -> Outcome:
        demo = self._demo
        demo.ask(f"/__api__/v1/content/{guid}", "PATCH", {"access_type": "all"})
        status, _ = demo.ask(f"/content/{guid}/", key=False)
        item = demo.ask(f"/__api__/v1/content/{guid}")[1] or {}
        why = "" if status == 200 else f"It was published, but a visitor gets {status or 'no answer'}."
        url, python = f"{demo.url}/content/{guid}/", item.get("py_version") or ""
        return Outcome(sample.title, url, python, time.monotonic() - begun, kept=kept, why=why)

    def _publish(self, sample: Sample, number: int, say: Callable[[str], object], *, again: bool) -> tuple[str, int]:
        fitting = [version for version in self._pythons if version in sample.python]
        if not fitting:
            return f"None of the Pythons here fits {sample.python}.", 1
        work = self._demo.folder / "work" / sample.folder.name
        copy(sample, work, fitting[number % len(fitting)])
        command, *rest = sample.deploy
        words = [BIN / "rsconnect", "deploy", command, "-n", "rostra", "--title", sample.title, *rest]
        # Old records of an item that is gone would be an error; an item that is there is published again.
        return follow([*words] if again else [*words[:3], "--new", *words[3:]], work, self._demo.folder, say)

    def _remember(self, name: str, known: dict[str, str]) -> None:
        self._known[name] = known
        scratch = self._memory.with_name(".scratch-published.json")
        scratch.write_text(json.dumps(self._known, indent=2))
        scratch.rename(self._memory)


def newest_of_each_minor(versions: Sequence[str]) -> list[str]:
    """Return ["3.9.18", "3.11.7"] of ["3.9.18", "3.11.2", "3.11.7"]: authors ask for a minor version."""
    return list({version.rpartition(".")[0]: version for version in versions}.values())


def copy(sample: Sample, work: Path, version: str) -> None:
    """Copy the sample and ask for a Python as its author would: in a file, or in the manifest that is there."""
    shutil.copytree(sample.folder, work, dirs_exist_ok=True)
    if (manifest := work / "manifest.json").exists():
        told = json.loads(manifest.read_text())
        told["python"]["version"] = version
        manifest.write_text(json.dumps(told))
    elif sample.kind != "static":
        (work / ".python-version").write_text(f"~={version.rpartition('.')[0]}.0\n")


def follow(words: Sequence[str | Path], work: Path, folder: Path, say: Callable[[str], object]) -> tuple[str, int]:
    """Run the client in ``work``, saying its lines as they come; return all of them and its exit status."""
    said: list[str] = []
    process = subprocess.Popen(
        words, cwd=work, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(plain := _STYLE.sub("", line.rstrip()))
            if plain.strip():
                say(plain.strip()[:100])
        return "\n".join(said), process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        process.wait()


def last_lines(output: str) -> str:
    """Return the end of what the client said, which is where the reason stands."""
    lines = [line for line in output.splitlines() if line.strip()]
    return "\n".join(lines[-_LAST_LINES:]) or "The client failed and said nothing."
