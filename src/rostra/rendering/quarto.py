"""Quarto: the command that renders a document or project, where it leaves its output, and what its failures mean."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rostra.rendering.document import Folders, copy_plain
from rostra.rendering.job import RenderFailed
from rostra.rendering.parameters_declared import metadata_of_file

_OUTPUT = re.compile(r"^\s*output-dir:\s*['\"]?([\w./ -]{1,200}?)['\"]?\s*$", re.MULTILINE)
_USUAL_OUTPUTS = ("_site", "_book", "_manuscript", "docs")
# Text that YAML reads as itself: it begins with a letter, and is none of the words for values.
_PLAIN = re.compile(
    r"(?!(?:true|false|yes|no|on|off|y|n|null)$)[A-Za-z](?:[\w./ -]{0,998}[\w./-])?", re.ASCII | re.IGNORECASE
)
_ERROR = re.compile(r"^(ERROR|Error|\w*Error:|Quitting from)")


def command(quarto: Path, document: str, parameters: Mapping[str, Any]) -> Callable[[Folders], Sequence[str]]:
    """Return what makes the command that renders ``document`` (``.``: the project)."""

    def argv(_folders: Folders) -> Sequence[str]:
        given = [word for name, value in parameters.items() for word in ("-P", f"{name}:{_told(value)}")]
        # The last part alone: the program starts in the document's folder.
        return (str(quarto), "render", Path(document).name or ".", *given)

    return argv


def _told(value: Any) -> str:
    """Return a value as Quarto reads one, which is YAML; text that would be read as something else is quoted.

    It may come from anybody who may read the document, and a tag such as ``!expr`` has a meaning of its own there.
    """
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value)


def finish(document: str) -> Callable[[Folders], str]:
    """Return what brings the made pages into ``out`` and names the first one."""

    def brought(folders: Folders) -> str:
        if document == ".":
            made = next((each for each in _outputs(folders.work) if _is_folder(each)), None)
            if made is None:
                return ""
            copy_plain(made, folders.out)
            return "index.html" if (folders.out / "index.html").is_file() else _only_page(folders.out)
        return _one_document(folders, folders.work / document)

    return brought


def declared(document: str) -> Callable[[Folders], Mapping[str, Any]]:
    """Return what reads the files and the mail that a document or script declares in its header; a project has none."""

    def said(folders: Folders) -> Mapping[str, Any]:
        real = (folders.work / document).resolve()
        return metadata_of_file(real) if real.is_relative_to(folders.work.resolve()) else {}

    return said


def _outputs(work: Path) -> Sequence[Path]:
    named: list[str] = []
    for name in ("_quarto.yml", "_quarto.yaml"):
        file = work / name
        if file.is_file() and not file.is_symlink():
            named += _OUTPUT.findall(file.read_text("utf-8", "replace")[:200_000])
    inside = [name for name in (*named, *_USUAL_OUTPUTS) if ".." not in Path(name).parts and not name.startswith("/")]
    return [work / name for name in inside]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _one_document(folders: Folders, document: Path) -> str:
    """Take the page beside its source and the folder of its files."""
    for suffix in (".html", ".pdf", ".docx", ".pptx"):
        page = document.with_suffix(suffix)
        if page.is_file() and not page.is_symlink():
            shutil.copyfile(page, folders.out / page.name)
            files = document.with_name(f"{document.stem}_files")
            if _is_folder(files):
                copy_plain(files, folders.out / files.name)
            return page.name
    return ""


def _only_page(folder: Path) -> str:
    pages = sorted(path.name for path in folder.glob("*.html"))
    return pages[0] if len(pages) == 1 else ""


def failure(lines: Sequence[str]) -> RenderFailed:
    """Return the error that ``lines``, the end of what Quarto wrote, tell of."""
    begin = next((number for number, line in enumerate(lines) if _ERROR.match(line)), max(0, len(lines) - 15))
    tail = [line for line in lines[begin:] if line.strip()]
    said = tail[0].removeprefix("ERROR: ").strip()[:300] if tail else "Quarto ended with an error"
    return RenderFailed(
        said, lines=tail[:30], hint="Render the document where it was written, correct it, and publish it again."
    )
