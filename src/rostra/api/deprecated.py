"""Routes that another one took the place of. They work for ever; their answers say where to go instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "x-deprecated-endpoint"
NO_OTHER = "n/a"

# Unversioned routes that current clients call because there is nothing else (server_settings, variants, schedules,
# metrics) are not here: clients warn their users of whatever answers with the header.
INSTEAD: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("GET", "/me"): "/v1/user",
        ("GET", "/users/current"): "/v1/user",
        ("GET", "/v1/user/api_keys"): "/v1/users/{guid}/keys",
        ("DELETE", "/v1/user/api_keys/{key_id}"): "/v1/users/{guid}/keys/{key_id}",
        ("GET", "/keys"): "/v1/users/{guid}/keys",
        ("DELETE", "/keys/{key_id}"): "/v1/users/{guid}/keys/{key_id}",
        ("GET", "/timezones"): "/v1/timezones",
        ("GET", "/tasks/{task_id}"): "/v1/tasks/{task_id}",
        ("GET", "/applications"): "/v1/content",
        ("POST", "/applications"): "/v1/content",
        ("GET", "/applications/{guid}"): "/v1/content/{guid}",
        ("POST", "/applications/{guid}"): "/v1/content/{guid}",
        ("POST", "/applications/{guid}/upload"): "/v1/content/{guid}/bundles",
        ("POST", "/applications/{guid}/deploy"): "/v1/content/{guid}/deploy",
        ("GET", "/applications/{guid}/config"): NO_OTHER,
        ("GET", "/applications/{guid}/environment"): "/v1/content/{guid}/environment",
        ("POST", "/applications/{guid}/environment"): "/v1/content/{guid}/environment",
        ("GET", "/applications/{guid}/jobs"): "/v1/content/{guid}/jobs",
        ("GET", "/applications/{guid}/job/{key}"): "/v1/content/{guid}/jobs/{key}",
        ("GET", "/applications/{guid}/image"): "/content/{guid}/__thumbnail__",
        ("POST", "/applications/{guid}/image"): "/v1/content/{guid}/thumbnail",
        ("DELETE", "/applications/{guid}/image"): "/v1/content/{guid}/thumbnail",
        ("POST", "/v1/experimental/bootstrap"): "/v1/bootstrap",
    }
)


class Marked:
    """Adds the header to what a deprecated route answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            route = getattr(scope.get("route"), "path", None)  # set by the router below
            instead = INSTEAD.get((str(scope.get("method")), str(route)))
            if message["type"] == "http.response.start" and instead is not None:
                MutableHeaders(scope=message)[HEADER] = instead
            await send(message)

        await self._app(scope, receive, sending)
