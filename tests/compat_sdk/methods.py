"""Prints the public methods and properties of the SDK's classes as JSON; run by the SDK's own interpreter."""
# ruff: noqa

import functools, importlib, inspect, json, pkgutil

from posit import connect

NOT_THE_SERVER = ("posit.connect.external",)  # wrappers for other products' own clients
found = set()
for module in pkgutil.walk_packages(connect.__path__, "posit.connect."):
    if module.name.startswith(NOT_THE_SERVER):
        continue
    loaded = importlib.import_module(module.name)
    for kind in vars(loaded).values():
        if not inspect.isclass(kind) or kind.__module__ != module.name or kind.__dict__.get("_is_protocol"):
            continue
        for name, value in vars(kind).items():
            if name.startswith("_"):
                continue
            if isinstance(value, property):
                functions = [value.fget, value.fset, value.fdel]
            elif isinstance(value, functools.cached_property):
                functions = [value.func]
            else:
                functions = [getattr(value, "__func__", value)]
            for function in functions:
                function = inspect.unwrap(function) if callable(function) else None
                if inspect.isfunction(function):
                    found.add(function.__code__.co_qualname)
print(json.dumps(sorted(found)))
