"""Looks at an item's own code. Run by an interpreter of content, 3.8 or newer, once by today's and once by the next:

    python -I -S check_code.py FOLDER OUT

FOLDER is an unpacked bundle; OUT gets one JSON object: for each file what the compiler says and which standard modules
and names it refers to, and which of those this interpreter has. What differs between two interpreters is for the server
to say. Standard library only; nothing of the bundle is imported or run.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import io
import json
import os
import re
import sys
import tokenize
import types
import warnings
from typing import Any, Iterator

MOST_FILES = 2000
MOST_BYTES = 2_000_000
TOP_LEVEL_AWAIT = 0x2000  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
NEVER = {"antigravity", "this", "idlelib", "turtledemo", "turtle", "test", "lib2to3.tests", "__main__", "__phello__"}
SKIPPED = {"__pycache__", "node_modules", ".git", ".venv", "venv", "env", "site-packages", ".ipynb_checkpoints"}
R_CODE, R_DOCUMENTS = (".r",), (".rmd", ".qmd")
CATCHES = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception", "BaseException", "SyntaxError"}


def sources(folder: str) -> Iterator[tuple[str, bytes, int]]:
    """Yield (name, text, flags) of everything Python: files, cells of notebooks, documents in Markdown, and R code."""
    count = 0
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if each not in SKIPPED)
        for name in sorted(names):
            path = os.path.join(here, name)
            if (
                not name.lower().endswith((".py", ".ipynb", *R_CODE, *R_DOCUMENTS))
                or os.path.islink(path)
                or os.path.getsize(path) > MOST_BYTES
            ):
                continue
            count += 1
            if count > MOST_FILES:
                return
            with open(path, "rb") as file:
                data = file.read()
            shown = os.path.relpath(path, folder)
            if not name.endswith(".ipynb"):
                yield shown, data, TOP_LEVEL_AWAIT if name.lower().endswith(R_DOCUMENTS) else 0
            else:
                yield from cells(shown, data)


def cells(shown: str, data: bytes) -> Iterator[tuple[str, bytes, int]]:
    try:
        told = json.loads(data.decode("utf-8"))
        language = told.get("metadata", {}).get("kernelspec", {}).get("language", "python")
        found = [each for each in told["cells"] if each.get("cell_type") == "code"]
        if language != "python":
            return
        for number, cell in enumerate(found, 1):
            text = cell.get("source", "")
            text = "".join(text) if isinstance(text, list) else str(text)
            yield "%s cell %d" % (shown, number), plain(text).encode("utf-8"), TOP_LEVEL_AWAIT
    except (ValueError, KeyError, TypeError, AttributeError):
        return


def plain(text: str) -> str:
    """Take out what is not Python in a notebook's cell, keeping every line's number."""
    if re.match(r"\s*%%(?!time|capture|prun)", text):
        return ""
    lines = []
    for line in text.split("\n"):
        bare = line.lstrip()
        odd = bare.startswith(("%", "!", "?")) or (bare.endswith("?") and not bare.startswith("#"))
        odd = odd or bool(re.match(r"[\w.]+\s*=\s*[!%]", bare))
        lines.append(line[: len(line) - len(bare)] + "pass" if odd else line)
    return "\n".join(lines)


class Looker(ast.NodeVisitor):
    """Collects references: [dotted name, line, guarded, lazy], local imports, and names of called methods."""

    def __init__(self) -> None:
        self.refs: list[list[Any]] = []
        self.local: list[list[Any]] = []
        self.methods: list[list[Any]] = []
        self.bound: dict[str, str] = {}
        self.stored: set[str] = set()
        self.guard = self.depth = 0

    def add(self, dotted: str, line: int) -> None:
        self.refs.append([dotted, line, bool(self.guard), bool(self.depth)])

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self.add(each.name, node.lineno)
            self.local.append([each.name, bool(self.depth)])
            if each.asname:
                self.bound[each.asname] = each.name
            else:
                self.bound[each.name.split(".")[0]] = each.name.split(".")[0]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        names = ["." * node.level + module]
        names += [names[0] + ("." if module else "") + each.name for each in node.names if each.name != "*"]
        self.local += [[name, bool(self.depth)] for name in names]
        if node.level or not module or module == "__future__":
            return
        self.add(module, node.lineno)
        for each in node.names:
            if each.name != "*":
                self.add(module + "." + each.name, node.lineno)
                self.bound[each.asname or each.name] = module + "." + each.name

    def visit_Attribute(self, node: ast.Attribute) -> None:
        parts: list[str] = []
        at: ast.AST = node
        while isinstance(at, ast.Attribute):
            parts.append(at.attr)
            at = at.value
        if isinstance(at, ast.Name):
            self.refs.append([[at.id, parts[::-1]], node.lineno, bool(self.guard), bool(self.depth)])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
        first = getattr(node.args[0], "value", None) if node.args else None
        if name in ("import_module", "__import__") and isinstance(first, str):
            self.add(first, node.lineno)
            self.local.append([first, bool(self.depth)])
        if isinstance(called, ast.Attribute):
            self.methods.append([called.attr, called.lineno])
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.stored.add(node.id)

    def visit_arg(self, node: ast.arg) -> None:
        self.stored.add(node.arg)
        self.generic_visit(node)

    def function(self, node: Any) -> None:
        self.stored.add(getattr(node, "name", ""))
        for each in getattr(node, "decorator_list", ()):
            self.visit(each)
        self.visit(node.args)
        for each in (getattr(node, "returns", None),):
            if each is not None:
                self.visit(each)
        self.depth += 1
        for each in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(each)
        self.depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = function  # noqa: N815

    def visit_Try(self, node: ast.Try) -> None:
        careful = any(catches(each.type) for each in node.handlers)
        self.guard += careful
        for each in [*node.body, *node.handlers]:
            self.visit(each)
        self.guard -= careful
        for other in node.orelse + node.finalbody:
            self.visit(other)

    def visit_If(self, node: ast.If) -> None:
        told = ast.dump(node.test)
        careful = (
            "__name__" in told
            or "version" in told
            or "hasattr" in told
            or "TYPE_CHECKING" in told
            or "find_spec" in told
        )
        self.visit(node.test)
        self.guard += careful
        for each in node.body + node.orelse:
            self.visit(each)
        self.guard -= careful

    def next(self) -> Looker:
        """Forget what was collected, not what names mean: the next cell goes on where this one ended."""
        self.refs, self.local, self.methods = [], [], []
        return self

    def all_refs(self) -> Iterator[list[Any]]:
        """Return references with the names of attributes joined to what was imported; last: is it an import itself."""
        for dotted, line, guarded, lazy in self.refs:
            if isinstance(dotted, str):
                yield [dotted, line, guarded, lazy, True]
            elif dotted[0] in self.bound and dotted[0] not in self.stored:
                yield [".".join([self.bound[dotted[0]]] + dotted[1]), line, guarded, lazy, False]


def catches(node: Any) -> bool:
    if node is None:
        return True
    each = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(getattr(one, "id", getattr(one, "attr", "")) in CATCHES for one in each)


def beside(name: str) -> Any:
    """Load the module ``name`` that lies beside this file: isolated, an interpreter does not find it by itself."""
    spec = importlib.util.spec_from_file_location(name, os.path.join(os.path.dirname(__file__), name + ".py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def look_at(data: bytes, flags: int, name: str, known: dict[str, Looker]) -> dict[str, Any]:
    """Look at one file, whatever language it is in."""
    if not name.lower().endswith((*R_CODE, *R_DOCUMENTS)):
        return look(data, flags, name, known)
    check_r, text = beside("check_r"), data.decode("utf-8", "replace").replace("\r\n", "\n")
    document = name.lower().endswith(R_DOCUMENTS)
    said = look(plain(check_r.python_of(text)).encode("utf-8") if document else b"", flags, name, known)
    more = check_r.references(check_r.r_of(text) if document else text)
    return {**said, "refs": said["refs"] + more["refs"], "local": said["local"] + more["local"]}


def look(data: bytes, flags: int, name: str, known: dict[str, Looker]) -> dict[str, Any]:
    """Return what the compiler says and what is referred to. ``known`` keeps what a notebook's cells have imported."""
    said: dict[str, Any] = {"file": name, "syntax": None, "warnings": [], "refs": [], "local": [], "methods": []}
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            compile(data, name, "exec", flags=flags, dont_inherit=True)
            looker = known.setdefault(name.partition(" cell ")[0], Looker()).next()
            looker.visit(ast.parse(text_of(data)))
            said["refs"] = [list(each) for each in looker.all_refs()]
            said["local"] = looker.local
            said["methods"] = looker.methods
        except SyntaxError as why:
            said["syntax"] = [why.lineno or 0, str(why.msg)]
        except (ValueError, RecursionError, MemoryError, OverflowError, UnicodeError) as why:
            said["syntax"] = [0, str(why)]
    said["warnings"] = [[each.lineno, str(each.message)] for each in heard][:50]
    return said


def text_of(data: bytes) -> str:
    with io.BytesIO(data) as file:
        encoding = tokenize.detect_encoding(file.readline)[0]
    return data.decode(encoding).lstrip("\ufeff")


def standard(top: str) -> bool:
    """Say whether this interpreter itself has a module ``top``: with -I -S nothing else can be found."""
    if top in NEVER:
        return False
    try:
        return top in sys.builtin_module_names or importlib.util.find_spec(top) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def has(dotted: str) -> bool:
    """Say whether a dotted name leads somewhere, as far as modules and classes go."""
    parts = dotted.split(".")
    try:
        at: Any = importlib.import_module(parts[0])
    except Exception:
        return False
    for number, part in enumerate(parts[1:], 2):
        if not isinstance(at, (types.ModuleType, type)):
            return True
        if isinstance(at, types.ModuleType) and not hasattr(at, part):
            try:
                importlib.import_module(".".join(parts[:number]))
            except Exception:
                return False
        try:
            at = getattr(at, part)
        except Exception:
            return False
    return True


def methods_of(module: str, wanted: set[str]) -> list[str]:
    """Return which of ``wanted`` are methods of a class of ``module``."""
    try:
        at = importlib.import_module(module)
        classes = [each for each in vars(at).values() if isinstance(each, type)]
    except Exception:
        return []
    return sorted(name for name in wanted if any(hasattr(each, name) for each in classes))


def main(folder: str, out: str) -> None:
    sys.setrecursionlimit(3000)
    warnings.simplefilter("ignore")
    sys.dont_write_bytecode = True
    known_names: dict[str, Looker] = {}
    files = [look_at(data, flags, name, known_names) for name, data, flags in sources(folder)]
    own = {name.split("/")[0].split(".py")[0] for name in os.listdir(folder)}
    dotted = sorted({ref[0] for each in files for ref in each["refs"]})
    tops = {name.split(".")[0] for name in dotted} - own
    known = {top: standard(top) for top in sorted(tops)}
    modules = sorted(top for top, there in known.items() if there)
    called = {name for each in files for name, _ in each["methods"]}
    told = {
        "version": list(sys.version_info[:3]),
        "files": files,
        "standard": known,
        "has": {name: has(name) for name in dotted if known.get(name.split(".")[0])},
        "methods": {module: methods_of(module, called) for module in modules},
    }
    with open(out, "w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(told, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
