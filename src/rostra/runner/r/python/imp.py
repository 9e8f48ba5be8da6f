"""Stands in for the module that Python 3.12 removed and the R package reticulate (1.28) still imports at start."""

from __future__ import annotations

from importlib.machinery import PathFinder


def find_module(name: str, path: list[str] | None = None) -> tuple[None, str | None, tuple[str, str, int]]:
    """Return (None, path, description) of a module, as the removed function did; ImportError when there is none."""
    found = PathFinder.find_spec(name, path)
    if found is None:
        raise ImportError("No module named " + name, name=name)
    places = found.submodule_search_locations
    return None, next(iter(places)) if places else found.origin, ("", "", 5 if places else 1)
