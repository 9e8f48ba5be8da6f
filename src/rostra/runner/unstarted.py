"""Keeps scripts that start a server of their own, outside ``if __name__ == "__main__"``, from doing so.

Such a call would block the import for ever on a port nobody visits.
"""

from __future__ import annotations

import importlib
import os
from typing import Any, Dict

_CALLS = {
    "asgi": (("uvicorn", "", "run"), ("hypercorn.run", "", "run")),
    "dash": (("dash", "Dash", "run"), ("dash", "Dash", "run_server")),
    "gradio": (("gradio", "Blocks", "launch"),),
    "shiny": (("shiny", "", "run_app"), ("shiny", "App", "run")),
}


def ignore(*families: str) -> Dict[str, Any]:
    """Replace what starts a server in the frameworks of ``families``; returns what such a call was given last."""
    given: Dict[str, Any] = {}
    if "wsgi" in families:
        os.environ["FLASK_RUN_FROM_CLI"] = "true"  # Flask's own word for it
    for family in families:
        for module, owner, name in _CALLS.get(family, ()):
            _replace(module, owner, name, given)
    return given


def _replace(module_name: str, owner_name: str, name: str, given: Dict[str, Any]) -> None:
    try:
        module = importlib.import_module(module_name)
    except Exception:  # not installed, or broken: the author's own import of it will say so better
        return
    owner = getattr(module, owner_name) if owner_name else module
    if not hasattr(owner, name):
        return

    def replacement(*_: Any, **keywords: Any) -> None:
        given.update(keywords)
        print(
            f"rostra: {owner_name or module_name}.{name}() was ignored: the server starts the application.", flush=True
        )

    setattr(owner, name, replacement)
