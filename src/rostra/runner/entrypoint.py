"""Reads entrypoints: which module or file, and which object in it. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple, Sequence, Tuple

from .failure import Failure

OBJECT_NAMES = ("app", "application", "create_app", "make_app")
FACTORY_NAMES = ("create_app", "make_app")
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_ESCAPED = re.compile(r"_([0-9a-f]{1,6})_")
_EXPRESS = "shiny.express.app"


class Entrypoint(NamedTuple):
    """``module`` is dotted; ``names`` are the objects to try, in order, each perhaps dotted too.

    ``named`` says that the author gave the object's name: then nothing else will do.
    """

    module: str
    names: Tuple[str, ...]
    named: bool


def parse(text: str, names: Sequence[str] = OBJECT_NAMES) -> Entrypoint:
    """Read ``app``, ``app.py``, ``pkg/app.py``, ``module:object`` or a dotted package.

    Raises:
        Failure: it is none of these.
    """
    module, colon, name = text.strip().partition(":")
    if module.endswith(".py"):
        module = module[: -len(".py")].lstrip("./").replace("/", ".")
    good = _DOTTED.fullmatch(module) and (not colon or _DOTTED.fullmatch(name))
    if not good:
        raise Failure(
            f"The entrypoint {text!r} is neither a module nor module:object.",
            "Deploy again with an entrypoint such as app:app.",
        )
    return Entrypoint(module, (name,) if colon else tuple(names), bool(colon))


def script(text: str) -> str:
    """Return the path, relative to the bundle, that an entrypoint of a script framework names, without its suffix.

    ``app``, ``app.py`` and ``app:anything`` are all ``app``; ``pages.main`` is ``pages/main``.
    """
    path = text.strip().partition(":")[0]
    if path.endswith((".py", ".ipynb", ".md")):
        return path.rpartition(".")[0]
    return path if "/" in path else path.replace(".", "/")


def express_file(text: str) -> str:
    """Return the file a Shiny Express entrypoint stands for (``shiny.express.app:app_2e_py``), or an empty string."""
    module, _, name = text.strip().partition(":")
    return unescape(name) if module == _EXPRESS and name else ""


def unescape(name: str) -> str:
    """Undo the escape of file names as identifiers: ``_2e_`` is the character with hexadecimal code 2e."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), name)
