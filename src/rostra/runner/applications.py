"""Serves content that is an object in the author's module: WSGI, ASGI, Dash, Gradio and Shiny."""

from __future__ import annotations

import importlib.util
import inspect
import os
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

from . import asgi, entrypoint, unstarted, uvicorn_server, wsgi
from .failure import Failure, while_importing
from .listening import Listener
from .loading import application, framework
from .options import Options

_GRADIO_NAMES = ("demo", "app", "application", "interface", "iface", "create_app", "make_app")


def serve_any(options: Options, listener: Listener) -> None:
    """Serve a WSGI or ASGI application, whichever the object is: the kind it was published as may be wrong."""
    unstarted.ignore("wsgi", "asgi")
    name, found = application(entrypoint.parse(options.entrypoint))
    _serve(name, found, options, listener)


def serve_dash(options: Options, listener: Listener) -> None:
    os.environ["DASH_REQUESTS_PATHNAME_PREFIX"] = options.base_path  # read when the application is made
    framework("dash")
    unstarted.ignore("wsgi", "dash")
    try:
        name, found = application(entrypoint.parse(options.entrypoint, (*entrypoint.OBJECT_NAMES, "server")))
    except Failure as failure:
        if type(failure.cause).__name__ == "InvalidConfig":  # it was given a prefix besides ours
            raise _own_prefix(failure.cause) from failure
        raise
    _check_dash(found, options)
    _serve(name, getattr(found, "server", found), options, listener)


def serve_gradio(options: Options, listener: Listener) -> None:
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    gradio = framework("gradio")
    launched = unstarted.ignore("gradio")
    name, found = _found_or_launched(options, launched)
    if not isinstance(found, gradio.Blocks):
        _serve(name, found, options, listener)  # the author mounted it in an application of their own
        return
    mounting = inspect.signature(gradio.mount_gradio_app).parameters
    # What the author gave to launch() would be lost otherwise; mounting has most of it.
    kept = {key: value for key, value in launched.keywords.items() if key in mounting and key not in ("path", "app")}
    kept.update({key: value for key, value in (("root_path", options.prefix),) if key in mounting})
    kept.update({"ssr_mode": False} if "ssr_mode" in mounting else {})
    outer = framework("fastapi").FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    mounted = gradio.mount_gradio_app(outer, found, path="/", **kept)
    uvicorn_server.serve(asgi.mounted(mounted, options.prefix), listener)


def _found_or_launched(options: Options, launched: unstarted.Ignored) -> Tuple[str, Any]:
    """Return the application the entrypoint names, or the one that a script without a name for it launched."""
    wanted = entrypoint.parse(options.entrypoint, _GRADIO_NAMES)
    try:
        return application(wanted)
    except Failure as failure:
        if wanted.named or failure.cause is not None or not launched.objects:
            raise
        return "launch()", launched.objects[-1]


def serve_shiny(options: Options, listener: Listener) -> None:
    framework("shiny")
    unstarted.ignore("asgi", "shiny")
    file = entrypoint.express_file(options.entrypoint) or _express_script(options.entrypoint)
    if file:
        found = _express(file)
    else:
        _, found = application(entrypoint.parse(options.entrypoint))
    uvicorn_server.serve(asgi.mounted(found, options.prefix), listener)


def _serve(name: str, found: Any, options: Options, listener: Listener) -> None:
    if not callable(found):
        raise Failure(
            f"{name} of {options.entrypoint!r} is {type(found).__name__}, which is not an application.",
            "The entrypoint must name a WSGI or ASGI application object.",
        )
    if is_asgi(found):
        uvicorn_server.serve(asgi.mounted(found, options.prefix), listener)
    else:
        wsgi.serve(found, options, listener)


def is_asgi(found: Any) -> bool:
    """Whether ``found`` is called as ASGI is: awaited, with three arguments (or, before ASGI 3, with one)."""
    called = found if inspect.isroutine(found) else _call_of(found)
    if called is None:
        return False
    if inspect.iscoroutinefunction(called):
        return True
    try:
        required = _required_arguments(called)
    except (TypeError, ValueError):
        return False
    return required - (0 if inspect.isroutine(found) else 1) == 3


def _call_of(found: Any) -> Any:
    return next((vars(cls)["__call__"] for cls in type(found).__mro__ if "__call__" in vars(cls)), None)


def _required_arguments(called: Callable[..., Any]) -> int:
    parameters = inspect.signature(called).parameters.values()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(1 for one in parameters if one.kind in positional and one.default is one.empty)


def _check_dash(found: Any, options: Options) -> None:
    config = getattr(found, "config", None)
    prefix = getattr(config, "requests_pathname_prefix", None)
    if isinstance(prefix, str) and prefix != options.base_path:
        raise _own_prefix()


def _own_prefix(cause: Optional[BaseException] = None) -> Failure:
    return Failure(
        "The Dash application sets a path prefix of its own.",
        "Remove url_base_pathname, routes_pathname_prefix and requests_pathname_prefix: the server sets them.",
        cause,
    )


def _express_script(text: str) -> str:
    """Return the script when a plain entrypoint names an Express one, as a project file does; else an empty string."""
    if ":" in text or importlib.util.find_spec("shiny.express") is None:
        return ""
    file = entrypoint.script(text) + ".py"
    is_express: Callable[[str, Any], bool] = framework("shiny.express").is_express_app
    return file if os.path.exists(file) and is_express(file, None) else ""


def _express(file: str) -> Any:
    path = Path(file).resolve()
    if not path.is_file():
        raise Failure(f"There is no {file} in this bundle.")
    try:
        return framework("shiny.express").wrap_express_app(path)
    except (Exception, SystemExit) as error:
        raise while_importing(error, file) from error


SERVERS: Dict[str, Callable[[Options, Listener], None]] = {
    "wsgi": serve_any,
    "asgi": serve_any,
    "dash": serve_dash,
    "gradio": serve_gradio,
    "shiny": serve_shiny,
}
