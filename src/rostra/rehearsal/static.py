"""The static check: what today's and the next interpreter each say of an item's own code, and the difference.

Nothing is listed by hand: a module, a name or a method counts as removed when the one interpreter has it and the other
has not. Promises to report only what works today.
"""

from __future__ import annotations

import asyncio
import json
import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from rostra.environments.folders import read_plain, scratch
from rostra.environments.site import Site, Tools, silent
from rostra.rehearsal import check_code, check_r
from rostra.rehearsal.model import Checked, Remark, Weight
from rostra.runtimes.model import Runtime

Told = Mapping[str, Any]
_SECONDS = 120.0
# Packages that bring a removed standard module back under its own name.
_BACK = {
    "distutils": ("setuptools",),
    "imp": ("zombie-imp",),
    "asyncore": ("pyasyncore",),
    "asynchat": ("pyasynchat",),
    "smtpd": ("standard-smtpd",),
    "cgi": ("legacy-cgi",),
    "cgitb": ("legacy-cgi", "standard-cgitb"),
    "crypt": ("legacy-crypt",),
}


async def inspect(code: Path, runtime: Runtime, tools: Tools) -> Told | None:
    """Return what ``runtime`` says of the bundle unpacked in ``code``, in the sandbox; None when it cannot say."""
    async with scratch(tools.yard) as place:
        ends_at = asyncio.get_running_loop().time() + _SECONDS
        site = Site(
            tools=tools, runtime=runtime, root=place, say=silent, index=tools.index, ends_at=ends_at, private=True
        )
        await anyio.to_thread.run_sync(site.prepare)
        script, out = Path(check_code.__file__), site.box / "found.json"
        argv = (str(runtime.executable), "-I", "-S", str(script), str(code), str(out))
        try:
            await site.run(argv, env={}, network=False, readable=(script, Path(check_r.__file__), code))
            told = json.loads(await anyio.to_thread.run_sync(read_plain, out))
        except (OSError, ValueError, TimeoutError):
            return None
    return told if isinstance(told, dict) and isinstance(told.get("files"), list) else None


def compare(today: Told | None, then: Told, roots: Iterable[str]) -> Checked:
    """Return what is different on the next interpreter, worst first, each with its file and line.

    ``roots`` are the files that are run first; what they do not import is only remarked upon. Without ``today`` (its
    interpreter is gone) only what the next compiler refuses can be told.
    """
    before = {each["file"]: each for each in today["files"]} if today else {}
    used, at_once = reachable(today or then, roots), reachable(today or then, roots, later=False)
    remarks: list[Remark] = []
    for file in then["files"]:
        old = before.get(file["file"])
        found = list(_syntax(file, old, known=bool(today)))
        if today and old and not found:
            found = list(_removed(old, today, then)) + list(_methods(old, today, then))
        found += list(_warnings(file, old))
        if used and file["file"] not in used:
            found = [_unreached(each) for each in found]
        elif used and file["file"] not in at_once:
            found = [replace(each, lazy=True) for each in found]
        remarks += found
    order = list(Weight)
    remarks.sort(key=lambda each: (order.index(each.weight), each.lazy, each.file, each.line))
    return Checked(remarks=tuple(_distinct(remarks)), files=len(then["files"]))


def provided(checked: Checked, names: Collection[str], modules: Collection[str] = ()) -> Checked:
    """Return the same without the modules that the environment brings back.

    ``names`` are its packages; ``modules`` the top-level modules found in it, when it could be looked at.
    """
    there = {top for top, packages in _BACK.items() if any(each in names for each in packages)} | set(modules)
    there |= {name.removeprefix("standard-") for name in names if name.startswith("standard-")}
    kept = tuple(each for each in checked.remarks if not (each.module and each.module in there))
    return replace(checked, remarks=kept)


def _syntax(file: Told, old: Told | None, *, known: bool) -> Iterator[Remark]:
    if file["syntax"] is None or (known and (old is None or old["syntax"] is not None)):
        return  # what does not compile today is not used today
    line, message = file["syntax"]
    yield Remark(file=file["file"], line=int(line), text=f"does not compile any more: {message}")


def _removed(old: Told, today: Told, then: Told) -> Iterator[Remark]:
    had, has = today["has"], then["has"]
    standard, still = today["standard"], then["standard"]
    for dotted, line, guarded, lazy, imported in old["refs"]:
        top = dotted.split(".")[0]
        if not standard.get(top):
            continue
        weight = Weight.maybe if guarded else Weight.breaks
        if not still.get(top):
            if not imported:
                continue
            text = f"imports {dotted if dotted == top else top}, which the standard library does not have any more"
            yield Remark(file=old["file"], line=line, text=text, weight=weight, module=top, lazy=lazy)
        elif had.get(dotted) and has.get(dotted) is False:
            yield Remark(file=old["file"], line=line, text=f"uses {dotted}, which is gone", weight=weight, lazy=lazy)


def _methods(old: Told, today: Told, then: Told) -> Iterator[Remark]:
    """A call of a method that only classes of an older standard library have: worth a look, no proof."""
    tops = {ref[0].split(".")[0] for ref in old["refs"]}
    for name, line in old["methods"]:
        had = [module for module in sorted(tops) if name in today["methods"].get(module, ())]
        has = any(name in names for names in then["methods"].values())
        if had and not has:
            text = f"calls .{name}(), which the classes of {had[0]} do not have any more"
            yield Remark(file=old["file"], line=line, text=text, weight=Weight.maybe)


def _warnings(file: Told, old: Told | None) -> Iterator[Remark]:
    said = {(line, _first_words(text)) for line, text in old["warnings"]} if old else set()
    for line, text in file["warnings"]:
        if (line, _first_words(text)) not in said:
            yield Remark(file=file["file"], line=int(line), text=f"warns: {text}", weight=Weight.note)


def _first_words(text: str) -> str:
    return " ".join(text.split()[:2])  # the rest is worded differently from version to version


def _unreached(remark: Remark) -> Remark:
    if remark.weight is Weight.note:
        return remark
    return replace(remark, weight=Weight.maybe, text=f"{remark.text} (nothing that is run imports this file)")


def _distinct(remarks: Iterable[Remark]) -> list[Remark]:
    """One remark for a line and module: ``from imp import reload`` refers to both the module and the name."""
    return list({(each.file, each.line, each.module or each.text): each for each in remarks}.values())


def reachable(told: Told, roots: Iterable[str], *, later: bool = True) -> frozenset[str]:
    """Return the files that ``roots`` import, directly or not, themselves included; empty when no root is known.

    ``later`` False leaves out what is imported only when a function is called. Cells of a notebook belong to it.
    """
    files = {each["file"]: each for each in told["files"]}
    waiting = [name for root in roots for name in files if name == root or name.startswith(f"{root} cell ")]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for module, lazy in files[name]["local"]:
            if later or not lazy:
                waiting += [each for each in _candidates(name, module) if each in files]
    return frozenset(seen)


def _candidates(importer: str, module: str) -> Iterator[str]:
    """Yield the files a module name may mean: relative, from the bundle's root, or beside the importer."""
    dots = len(module) - len(module.lstrip("."))
    bare = module.lstrip(".").replace(".", "/")
    here = posixpath.dirname(importer.partition(" cell ")[0])
    bases = [here, ""] if not dots else [posixpath.normpath(posixpath.join(here, *[".."] * (dots - 1)))]
    for base in bases:
        parts = [part for part in bare.split("/") if part]
        for depth in range(len(parts) + 1):
            path = posixpath.normpath(posixpath.join(base, *parts[:depth])) if parts or base else ""
            if path and path != ".":
                yield f"{path}.py"
            yield posixpath.normpath(posixpath.join(path, "__init__.py"))


def roots_of(kind: str, entrypoint: str, files: Collection[str]) -> list[str]:
    """Return the files an item of this kind runs first; empty when that cannot be told, and then all count."""
    module = entrypoint.partition(":")[0]
    wanted = [module] if module.endswith((".py", ".ipynb")) else [f"{module.replace('.', '/')}.py"]
    wanted += [f"{module.replace('.', '/')}/__init__.py"] if module else ["app.py", "main.py"]
    found = [name for name in wanted if name in files or any(each.startswith(f"{name} cell ") for each in files)]
    if kind == "python-streamlit":
        found += [name for name in files if name.startswith("pages/") and name.endswith(".py")]
    if not found and not kind.startswith(("python", "jupyter")):  # R and Quarto run what the server finds
        found = [name for name in files if name.lower().endswith((*check_code.R_CODE, *check_code.R_DOCUMENTS))]
    return found
