"""Keeps scripts that start a server of their own, outside ``if __name__ == "__main__"``, from doing so.

Such a call would block the import for ever on a port nobody visits.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Dict, List, Tuple

_CALLS = {
    "asgi": (("uvicorn", "", "run"), ("hypercorn.run", "", "run")),
    "dash": (("dash", "Dash", "run"), ("dash", "Dash", "run_server")),
    "gradio": (("gradio", "Blocks", "launch"),),
    "shiny": (("shiny", "", "run_app"), ("shiny", "App", "run")),
}


class Ignored:
    """What such calls were given: the objects that were to be served, and the last call's keywords."""

    def __init__(self) -> None:
        self.objects: List[Any] = []
        self.keywords: Dict[str, Any] = {}

    def note(self, called: str, arguments: Tuple[Any, ...], keywords: Dict[str, Any]) -> None:
        self.objects += arguments[:1]
        self.keywords = keywords
        print(f"rostra: {called}() was ignored: the server starts the application.", flush=True)


def ignore(*families: str) -> Ignored:
    """Replace what starts a server in the frameworks of ``families``; the result fills while the author's code runs."""
    ignored = Ignored()
    if "wsgi" in families:
        os.environ["FLASK_RUN_FROM_CLI"] = "true"  # Flask's own word for it
    for family in families:
        for module, owner, name in _CALLS.get(family, ()):
            _replace(module, owner, name, ignored)
    return ignored


def _replace(module_name: str, owner_name: str, name: str, ignored: Ignored) -> None:
    try:
        module = importlib.import_module(module_name)
    except Exception:  # not installed, or broken: the author's own import of it will say so better
        return
    owner = getattr(module, owner_name) if owner_name else module
    called = f"{owner_name or module_name}.{name}"
    if hasattr(owner, name):
        setattr(owner, name, lambda *arguments, **keywords: ignored.note(called, arguments, keywords))
