"""The API's description, made from the signatures of its endpoints: as OpenAPI 3.1, and as a page for people."""

from __future__ import annotations

import functools
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from rostra.api import answers, openapi_page, parameters
from rostra.api.answers import BYTES, JSON, REFERENCE, TAKES, Router
from rostra.api.deprecated import INSTEAD
from rostra.api.edge import BODY, MOUNT

router = Router()

_ERROR = {
    "type": "object",
    "required": ["code", "error", "payload"],
    "properties": {"code": {"type": "integer"}, "error": {"type": "string"}, "payload": {}},
}
_PARAMETER = re.compile(r"\{(\w+)\}")
_TASK = {"task_id": "$response.body#/task_id"}
_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
}


def document(routes: list[APIRoute], version: str) -> dict[str, Any]:
    """Return the OpenAPI document of these routes. The same routes always give the same document."""
    ids = Counter(route.name for route in routes)
    for route in routes:
        method = min(route.methods or {"GET"})
        route.operation_id = route.name if ids[route.name] == 1 else f"{route.name}__{method.lower()}_{_slug(route)}"
    made = get_openapi(
        title="Rostra", version=version, openapi_version="3.1.0", routes=routes, servers=[{"url": MOUNT}]
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    found = _described(routes, schemas)
    schemas["Error"] = _ERROR
    made["components"]["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Key, a space, an API key"}
    }
    made["security"] = [{"key": []}]
    for route in routes:
        for method in route.methods or ():
            _complete(made["paths"][route.path_format][method.lower()], route, found)
    for path, methods in made["paths"].items():
        if "post" in methods:
            _link(made["paths"], path, methods["post"])
    return made


def _link(paths: dict[str, Any], path: str, made_by: dict[str, Any]) -> None:
    """Say what can be done with what this operation makes: every operation whose path goes on with its id."""
    answer = next((made_by["responses"][code] for code in ("201", "202") if code in made_by["responses"]), None)
    if answer is None:
        return
    links: dict[str, Any] = {}
    if "202" in made_by["responses"]:
        links["get_task"] = {"operationId": "get_task__get_v1_tasks__task_id", "parameters": _TASK}
    for below, methods in paths.items():
        name, closed, _ = below.removeprefix(f"{path}/{{").partition("}")
        if below.startswith(f"{path}/{{") and closed:
            outer = {one: f"$request.path.{one}" for one in _PARAMETER.findall(path)}
            field = "guid" if name.endswith("guid") else "key" if name == "key" else "id"
            for operation in methods.values():
                given = {**outer, name: f"$response.body#/{field}"}
                links[operation["operationId"]] = {"operationId": operation["operationId"], "parameters": given}
    if links:
        answer["links"] = links


def _slug(route: APIRoute) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in route.path).strip("_")


def _described(routes: list[APIRoute], shared: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of what each route takes and answers, as ``{id} takes {media type}`` and ``{id} answers``."""
    taken = {
        f"{route.operation_id} takes {media}": kind
        for route in routes
        for media, kind in _bodies(route).items()
        if kind is not bytes
    }
    answered = {f"{route.operation_id} answers": answers.of(route)[0] for route in routes}
    found, below = answers.schemas(taken, {name: kind for name, kind in answered.items() if kind is not None})
    shared |= below
    return found


def _complete(operation: dict[str, Any], route: APIRoute, schemas: dict[str, Any]) -> None:
    """Add what FastAPI does not know: the body, what is answered, and how errors look."""
    responses = operation["responses"]
    responses.pop("422", None)
    for one in operation.get("parameters", []):
        if said := parameters.meaning(one["name"], route.path_format):
            one.setdefault("description", said)
    made = answers.of(route)[1]
    for code, answer in responses.items():
        answer.pop("content", None)
        if code != "204":
            answer["content"] = _content(schemas.get(f"{route.operation_id} answers"), made.media)
    if made.empty:
        responses["204"] = {"description": made.empty}
    # Clients tell a missing route, which is answered as text, from a missing object.
    error = {JSON: {"schema": {"$ref": REFERENCE.format(model="Error")}}, "text/plain": {"schema": {"type": "string"}}}
    responses["default"] = {"description": "What is wrong, and what to do", "content": error}
    module = route.endpoint.__module__.rpartition(".")[2]
    operation["tags"] = [module.replace("_", " ")]
    if any((method, route.path_format) in INSTEAD for method in route.methods or ()):
        operation["deprecated"] = True
    taken = {
        media: {"schema": BYTES if kind is bytes else schemas[f"{route.operation_id} takes {media}"]}
        for media, kind in _bodies(route).items()
    }
    if taken:
        operation["requestBody"] = {"content": taken}


def _content(schema: dict[str, Any] | None, media: tuple[str, ...]) -> dict[str, Any]:
    found = {} if schema is None else {JSON: {"schema": schema}}
    return found | {each: {"schema": {"type": "string"} if each.startswith("text/") else {}} for each in media}


def _bodies(route: APIRoute) -> dict[str, Any]:
    """Return what a route reads, by media type: itself, or with `edge.parsed`."""
    parsed = next(_parsed(route.dependant), None)
    itself: dict[str, Any] = getattr(route.endpoint, TAKES, {})
    return itself if parsed is None else {JSON: parsed}


def _parsed(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        found = getattr(one.call, BODY, None)
        if found is not None:
            yield found
        yield from _parsed(one)


def text(routes: list[APIRoute], version: str) -> str:
    """Return the document as it is committed: sorted, so that changes are easy to see."""
    return json.dumps(document(routes, version), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


@functools.lru_cache(maxsize=1)
def _served() -> tuple[dict[str, Any], str]:
    from rostra.api.app import description

    made = description()
    return made, openapi_page.page(made)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:  # noqa: ARG001  (open to everybody, as clients' generators expect)
    """This description."""
    return JSONResponse(_served()[0])


async def page(request: Request) -> Response:  # noqa: ARG001
    """Return the description as a page: no script, nothing from elsewhere."""
    return HTMLResponse(_served()[1], headers=_SAFETY)
