"""Finds the Python in R content: chunks of documents, and what R code asks reticulate for. Loaded by `check_code.py`.

Reads texts only, with expressions that look at each character a bounded number of times. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*\{([A-Za-z]+)\b([^}\n]*)\}[ \t]*$")
UNUSED = re.compile(r"\beval\s*=\s*(F|FALSE|False|false)\b")
BIND = re.compile(r"([A-Za-z.][\w.]*)[ \t]*(?:<-|=)[ \t]*(?:reticulate::)?import\([ \t]*[\"']([\w.]+)[\"']")
IMPORT = re.compile(r"\bimport\([ \t]*[\"']([\w.]+)[\"']")
USE = re.compile(r"([A-Za-z.][\w.]*)\$([A-Za-z_]\w*)")
FILE = re.compile(r"\b(?:source_python|py_run_file)\([ \t]*[\"']([\w./ -]+)[\"']")
CAREFUL = re.compile(r"\b(tryCatch|try|py_module_available)[ \t]*\(")
STRING = re.compile(r"\"[^\"\\]*\"|'[^'\\]*'")


def python_of(text: str) -> str:
    """Return the document with nothing but its Python chunks, each line where it was."""
    return "\n".join(line if language == "python" else "" for language, line in chunks(text))


def r_of(text: str) -> str:
    """Return the document with nothing but its R chunks, each line where it was."""
    return "\n".join(line if language == "r" else "" for language, line in chunks(text))


def chunks(text: str) -> Iterator[tuple[str, str]]:
    """Yield (language, line) of every line; the language is empty outside of chunks and in those that are not run."""
    fence = language = indent = ""
    for line in text.split("\n"):
        if fence:
            ends = line.strip().startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if ends else fence
            yield ("", "") if ends else (language, line[len(indent) :] if line.startswith(indent) else line)
            continue
        begins = FENCE.match(line[:1000])
        if begins:
            fence, indent = begins.group(1), line[: len(line) - len(line.lstrip())]
            language = "" if UNUSED.search(begins.group(3)) else begins.group(2).lower()
        yield "", ""


def references(text: str) -> dict[str, list[Any]]:
    """Return what R code asks of Python, as `check_code.look` does: refs [dotted, line, guarded, lazy, imported].

    A line within braces counts as run later, and one that stands in a ``tryCatch`` as guarded.
    """
    found: dict[str, list[Any]] = {"refs": [], "local": []}
    bound: dict[str, str] = {}
    depth, careful = 0, -1
    for number, raw in enumerate(text.split("\n"), 1):
        line = code_of(raw[:2000])
        within = depth
        if CAREFUL.search(line) and careful < 0:
            careful = depth
        lazy = within > 0 or "function(" in line
        bound.update(dict(BIND.findall(line)))
        for module in IMPORT.findall(line):
            found["refs"].append([module, number, careful >= 0, lazy, True])
            found["local"].append([module, lazy])
        for name, attribute in USE.findall(line):
            if name in bound:
                found["refs"].append([bound[name] + "." + attribute, number, careful >= 0, lazy, False])
        for path in FILE.findall(line):
            found["local"].append([re.sub(r"\.py$", "", path).replace("/", "."), lazy])
        bare = STRING.sub("", line)
        depth = max(0, depth + bare.count("{") + bare.count("(") - bare.count("}") - bare.count(")"))
        if careful >= 0 and depth <= careful:
            careful = -1
    return found


def code_of(line: str) -> str:
    """Return the line without its comment."""
    bare = STRING.sub(lambda each: "_" * len(each.group()), line)
    return line[: bare.index("#")] if "#" in bare else line
