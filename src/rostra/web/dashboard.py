"""The dashboard's pages: what I published, how it is doing, what it wrote, and what it can run on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from rostra.auth.principals import Principal, Role
from rostra.errors import Invalid, NotFound, Problem
from rostra.web import forms
from rostra.web.pages import sentence, sign_in_needed, status_of
from rostra.web.responses import accept_of, json, redirect, wants_html
from rostra.web.screens import DONE, shown
from rostra.web.services import WebServices
from rostra.web.views import BundleRow, ItemPage

Endpoint = Callable[[Request], Awaitable[Response]]
SignedInEndpoint = Callable[[Request, Principal], Awaitable[Response]]


LIFETIMES = (30, 90, 365)  # days a key may be made for; or it never ends


class NoSuchVersion(NotFound):
    code = "no-such-version"

    def __init__(self) -> None:
        super().__init__("this content has no such version", hint="Open the content and choose one from the list.")


class Dashboard:
    def __init__(self, services: WebServices) -> None:
        self._services = services

    def signed_in(self, endpoint: SignedInEndpoint) -> Endpoint:
        """Give the endpoint the person; anyone else is asked to sign in first."""

        async def guarded(request: Request) -> Response:
            who = await self._services.principal(request)
            return await endpoint(request, who) if who else sign_in_needed(self._services.site, request)

        return guarded

    async def draft(self, request: Request, who: Principal) -> Response:
        item = await self._services.item(who, str(request.path_params["guid"]))
        bundle = _bundle(item, _version(request))
        head = await self._services.head(who, item.row.guid)
        return self._page(
            request, who, "draft.html", here="content", head=head, tab="overview", item=item, bundle=bundle
        )

    async def logs(self, request: Request, who: Principal) -> Response:
        after = _number(request.query_params.get("after"))
        job = request.query_params.get("job") or None
        logs = await self._services.logs(who, str(request.path_params["guid"]), job, after)
        if not wants_html(accept_of(request)):
            running = logs.chosen is not None and logs.chosen.running
            return json(200, {"lines": list(logs.lines), "next": logs.next, "running": running})
        head = await self._services.head(who, logs.guid)
        return self._page(request, who, "logs.html", here="content", head=head, tab="logs", logs=logs)

    async def task(self, request: Request, who: Principal) -> Response:
        after = _number(request.query_params.get("after")) or 0
        task = await self._services.task(who, request.path_params["task"], after)
        if not wants_html(accept_of(request)):
            shown = {"lines": list(task.lines), "next": task.next, "running": not task.finished, "error": task.error}
            return json(200, shown)
        return self._page(request, who, "task.html", here="content", task=task)

    async def keys(self, request: Request, who: Principal) -> Response:
        return await self._keys(request, who)

    async def new_key(self, request: Request, who: Principal) -> Response:
        form = await forms.read_form(request)
        forms.check(request, form)
        name = form.get("name", "").strip()
        wanted = {"name": name, "user_role": _role(who, form.get("role", "")), "expires_at": self._end(form)}
        try:
            made = await self._services.ask(request, "POST", f"v1/users/{who.guid}/keys", wanted)
        except Invalid as problem:
            return await self._keys(request, who, wrong=problem)
        secret = made["key"]
        # Shown in the answer to the form, not behind a redirect: the secret must be in no address and no history.
        return await self._keys(request, who, secret=secret, name=name)

    async def revoke_key(self, request: Request, who: Principal) -> Response:
        forms.check(request, await forms.read_form(request))
        await self._services.ask(request, "DELETE", f"v1/users/{who.guid}/keys/{request.path_params['key']}")
        return redirect(self._services.site.page("keys"))

    def _end(self, form: Mapping[str, str]) -> str | None:
        """Return when the key ends, from how many days were chosen; None for never."""
        days = form.get("days", "")
        if days not in ("", *map(str, LIFETIMES)):
            raise Invalid("a key cannot end then", hint="Choose one from the list.")
        return (self._services.clock.now() + dt.timedelta(days=int(days))).isoformat() if days else None

    async def _keys(
        self, request: Request, who: Principal, *, secret: str = "", name: str = "", wrong: Problem | None = None
    ) -> Response:
        roles = _roles(who)
        address = str(request.base_url).rstrip("/") + self._services.site.prefix
        rows = await self._services.keys(who)
        return self._page(
            request,
            who,
            "keys.html",
            status=200 if wrong is None else status_of(wrong),
            here="keys",
            rows=rows,
            roles=roles,
            lifetimes=LIFETIMES,
            secret=secret,
            name=name,
            address=address,
            wrong="" if wrong is None else f"{sentence(wrong.message)} {wrong.hint}".strip(),
        )

    async def waiting(self, request: Request) -> Response:
        """Where starting a pool has come to, for the waiting page's script; visitors may be nobody."""
        who = await self._services.principal(request)
        found = await self._services.waiting(who, request.path_params["pool"])
        lines = list(found.lines)
        body = {"state": found.state.value, "phase": found.phase, "lines": lines, "position": found.position}
        return json(200, body)

    def _page(self, request: Request, who: Principal, template: str, **values: Any) -> Response:
        values.setdefault("done", DONE.get(request.query_params.get("done", ""), ""))
        return shown(self._services, request, who, template, **values)


def _roles(who: Principal) -> list[str]:
    return [role.value for role in reversed(Role) if who.role.at_least(role)]


def _role(who: Principal, role: str) -> str:
    """The API makes a key with less than what was asked for; on a page that would surprise."""
    if role not in _roles(who):
        raise Invalid(f"{role[:40]!r} is not a role you can give", hint="Choose one from the list.")
    return role


def _version(request: Request) -> int:
    text = request.path_params["bundle"]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NoSuchVersion
    return int(text)


def _bundle(item: ItemPage, number: int) -> BundleRow:
    found = next((bundle for bundle in item.bundles if bundle.id == number), None)
    if found is None:
        raise NoSuchVersion
    return found


def _number(text: str | None) -> int | None:
    if text is None or text == "":
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid("the address asks for a line that is not a number", hint="Open the page again from the content.")
    return int(text)
