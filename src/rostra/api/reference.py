"""Writes the reference pages that are made from the code: ``python -m rostra.api.reference docs/reference``."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path

from fastapi.routing import APIRoute

import rostra
from rostra.api import openapi
from rostra.api.app import ROUTERS, described
from rostra.api.left_out import LEFT_OUT
from rostra.api.problems import status_of
from rostra.api.v1.server import WIRE_VERSION
from rostra.errors import Problem

_NOT_PART = ("rostra.runner", "rostra.db.migrations")
_ERRORS = """\
# Errors

Made from the code by `python -m rostra.api.reference docs/reference`; do not edit.

Every error has a code that never changes, one sentence saying what is wrong and one saying what to do. Publishing
clients see the number and the status; the number is 1 where they know none. Whatever is not listed here is a bug:
status 500, number 1.

| code | number | status | meaning |
|---|---|---|---|
"""
_ROUTES = """\
# The HTTP API

Made from the code by `python -m rostra.api.reference docs/reference`; do not edit.

All paths are below `/__api__`. Send `Authorization: Key ...` (or the same as `X-RSC-Authorization`); a browser's
session needs `X-Rsc-Xsrf` with the value of the cookie `RSC-XSRF` for everything but reading. Bodies are JSON whatever
they are called. An error is `{"code": number, "error": "...", "payload": null}`, see [errors](errors.md); a path that
does not exist is a plain-text 404. Nothing is redirected or compressed. Unknown query parameters are ignored. Numbers
are strings in the routes below `/v1`, integers in the others.

`server_settings` is answered to everybody, also with a bad key: publishing clients ask it first, and learn what is
wrong with the key from `v1/user`.

"""


_LEFT_OUT = """\
# What is left out

Made from the code by `python -m rostra.api.reference docs/reference`; do not edit.

Some of what the protocol knows makes no sense on a server that is open and one's own. Each row is tested: the request
is sent, and its answer is the one in the last column. Clients get by with all of them.

| what | why | request | what a client sees |
|---|---|---|---|
"""


def problems() -> list[type[Problem]]:
    """Return every kind of error of the server that has a code of its own, by code."""
    for module in pkgutil.walk_packages(rostra.__path__, "rostra."):
        if not module.name.startswith(_NOT_PART) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return sorted(_below(Problem), key=lambda kind: kind.code)


def _below(family: type[Problem]) -> Iterator[type[Problem]]:
    for kind in family.__subclasses__():
        if kind.__module__.startswith("rostra."):
            if "code" in vars(kind):
                yield kind
            yield from _below(kind)


def errors_page() -> str:
    return _ERRORS + "".join(_error(kind) for kind in problems())


def _error(kind: type[Problem]) -> str:
    bare = kind.__new__(kind)  # the status follows from the class; its sentence needs what went wrong
    family = next(base.__name__ for base in kind.__mro__ if base.__module__ == "rostra.errors")
    said = (vars(kind).get("__doc__") or "").strip().split("\n")[0] or _words(kind.__name__, family)
    return f"| `{kind.code}` | {kind.number} | {status_of(bare)} | {said.replace('``', '`').replace('|', '/')} |\n"


def _words(name: str, family: str) -> str:
    """Return ``NoSuchUser`` as ``No such user``."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return f"{spaced.capitalize()} ({family})"


def routes_page() -> str:
    return _ROUTES + "\n".join(_section(router.routes) for router in ROUTERS)


def _section(routes: object) -> str:
    assert isinstance(routes, list)
    own = [route for route in routes if isinstance(route, APIRoute)]
    module = sys.modules[own[0].endpoint.__module__]
    head = f"## {module.__name__.rpartition('.')[2].capitalize()}\n\n{(module.__doc__ or '').strip()}\n\n"
    rows = "".join(_route(route) for route in own)
    return f"{head}| request | answer |\n|---|---|\n{rows}"


def _route(route: APIRoute) -> str:
    (method,) = route.methods or {"GET"}
    said = (route.endpoint.__doc__ or "").strip().split("\n")[0].replace("``", "`").replace("|", "\\|")
    return f"| `{method} {route.path[1:]}` | {said} |\n"


def openapi_text() -> str:
    return openapi.text(described(), WIRE_VERSION)


def left_out_page() -> str:
    rows = "".join(f"| {one.what} | {one.why} | `{one.method} {one.path}` | {one.seen} |\n" for one in LEFT_OUT)
    return _LEFT_OUT + rows


def main(folder: Path) -> None:
    (folder / "errors.md").write_text(errors_page())
    (folder / "api.md").write_text(routes_page())
    (folder / "openapi.json").write_text(openapi_text())
    (folder / "left-out.md").write_text(left_out_page())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
