"""Imports the author's module and takes the application out of it."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from types import ModuleType
from typing import Any, List, Optional, Tuple

from .entrypoint import FACTORY_NAMES, Entrypoint
from .failure import Failure, missing, while_importing

# Classes of the frameworks whose objects are applications, by the top package that defines them.
_FRAMEWORKS = {
    *("bottle", "connexion", "dash", "django", "falcon", "fastapi", "flask", "gradio", "litestar", "pyramid"),
    *("quart", "sanic", "shiny", "starlette"),
}


def framework(name: str) -> Any:
    """Return the module ``name``, which the content needs to run at all.

    Raises:
        Failure: it is not installed, or fails to import.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise missing(error.name or name) from error
    except Exception as error:
        raise while_importing(error, name) from error


def application(entrypoint: Entrypoint) -> Tuple[str, Any]:
    """Return the name the application was found under, and the application; factories have been called.

    Raises:
        Failure: the module is not there, cannot be imported, or holds no such object.
    """
    module = author_module(entrypoint.module)
    name, found = _taken(module, entrypoint)
    if _is_factory(name, found, named=entrypoint.named):
        try:
            return name, found()
        except (Exception, SystemExit) as error:
            raise while_importing(error, f"{name}() of {_file(module)}") from error
    return name, found


def author_module(name: str) -> ModuleType:
    """Import the author's module ``name``."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise _no_such_module(name) from error
        raise while_importing(error, _guess_file(name)) from error
    except (Exception, SystemExit) as error:
        raise while_importing(error, _guess_file(name)) from error


def _taken(module: ModuleType, entrypoint: Entrypoint) -> Tuple[str, Any]:
    for name in entrypoint.names:
        found = _attribute(module, name)
        if found is not None:
            return name, found
    others = candidates(module)
    if len(others) == 1 and not entrypoint.named:
        return others[0], getattr(module, others[0])
    raise _no_such_object(module, entrypoint, others)


def _attribute(module: ModuleType, dotted: str) -> Optional[Any]:
    found: Any = module
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found


def candidates(module: ModuleType) -> List[str]:
    """Return the names in ``module`` of objects that look like applications, in the order they were defined."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and _looks_like_one(value)]


def _looks_like_one(value: Any) -> bool:
    if isinstance(value, (type, ModuleType)) or not callable(value):
        return False
    classes = type(value).__mro__
    made_by = {cls.__module__.partition(".")[0] for cls in classes}
    return bool(made_by & _FRAMEWORKS) and any(_names_an_application(cls.__name__) for cls in classes)


def _names_an_application(name: str) -> bool:
    framework_name = name.lower() in _FRAMEWORKS or name in ("Blocks", "Interface", "FlaskApp")
    return framework_name or name in ("App", "API", "Application", "Router", "Starlette", "FastAPI")


def _is_factory(name: str, found: Any, *, named: bool) -> bool:
    """An inferred ``create_app`` is called; a named function only when it takes no argument, as no application does."""
    if not inspect.isroutine(found):
        return False
    if not named and name in FACTORY_NAMES:
        return True
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return False
    return not [one for one in parameters if one.kind is not one.VAR_KEYWORD and one.default is one.empty]


def _no_such_module(name: str) -> Failure:
    here = sorted(entry for entry in os.listdir(".") if entry.endswith(".py"))
    hint = f"Python files in it: {', '.join(here[:10])}." if here else "It holds no Python file at its top."
    return Failure(f"There is no {name.replace('.', '/')}.py in this bundle.", hint)


def _no_such_object(module: ModuleType, entrypoint: Entrypoint, others: List[str]) -> Failure:
    wanted = " or ".join(entrypoint.names)
    if not others:
        hint = "Nothing in it looks like an application."
    else:
        described = ", ".join(f"{name} ({_kind_of(getattr(module, name))})" for name in others)
        hint = f"It has {described}. Deploy again with the entrypoint {module.__name__}:{others[0]}."
    return Failure(f"{_file(module)} has no object named {wanted}.", hint)


def _kind_of(value: Any) -> str:
    return f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"


def _file(module: ModuleType) -> str:
    path = getattr(module, "__file__", None)
    return os.path.relpath(path) if path else module.__name__


def _guess_file(name: str) -> str:
    path = name.replace(".", os.sep)
    for guess in (path + ".py", os.path.join(path, "__init__.py")):
        if os.path.exists(guess):
            return guess
    loaded = sys.modules.get(name)
    return _file(loaded) if loaded else name
