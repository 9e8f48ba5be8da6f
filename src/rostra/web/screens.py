"""Screens: pages with forms, each declared in one place. What they show and change goes through the API.

A screen has one address for looking and one below it for each thing that can be done. What is done either succeeds,
and the browser is sent on to a page that says so, or the same page comes back with one sentence on what is wrong and
with what was filled in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from rostra.auth.principals import Principal
from rostra.errors import Invalid, NotSignedIn, Problem
from rostra.web import forms
from rostra.web.pages import sentence, status_of
from rostra.web.responses import page, redirect
from rostra.web.services import WebServices

# What a page says after something was done. Only the key is in the address, so nobody can have a page say other things.
DONE: Mapping[str, str] = {
    "saved": "Saved.",
    "given": "Access was given.",
    "taken": "Access was taken away.",
    "set": "The variable is set. Processes that run are replaced one by one, so that they see it.",
    "removed": "Removed.",
    "made": "Made.",
    "asked": "It is being rendered for you. Open it to wait for it.",
    "kept": "Kept as a variant. It can have a schedule now.",
    "deleted": "Deleted.",
    "locked": "Locked. Visitors are told that it is closed.",
    "account-locked": "Locked. Whoever it belongs to is signed out and cannot come back.",
    "unlocked": "Unlocked.",
    "password": "The password is changed. Every other browser you were signed in with is signed out; API keys stay.",
    "moving": "Each item that was found safe is being deployed anew; this is what waits.",
    "restarted": "Its processes were ended. The next visit starts new ones.",
    "ended": "The process was ended.",
    "scheduled": "The schedule is set.",
    "subscribed": "Added. They hear of it as long as they may see the content.",
    "checked": "The checks have been run.",
    "stopped": "Stopped.",
    "disconnected": "Disconnected: what the service gave is forgotten here.",
    "verified": "It works: the service gave a token.",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request for a screen, and what was filled in when it is a form; ``file`` is what was uploaded with it."""

    services: WebServices
    request: Request
    who: Principal
    form: Mapping[str, str] = field(default_factory=dict)
    file: bytes = b""

    @property
    def guid(self) -> str:
        return self.param("guid")

    def param(self, name: str) -> str:
        return str(self.request.path_params[name])

    def asked(self, name: str) -> str:
        """Return what the address asks for under this name, "" when it does not."""
        return self.request.query_params.get(name, "")[:500]

    def text(self, name: str) -> str:
        """Return a field without the space around it; "" when it was left empty or out."""
        return self.form.get(name, "").strip()

    def ticked(self, name: str) -> bool:
        return name in self.form

    def whole(self, name: str, what: str) -> int | None:
        """Return a field as a whole number, None when it was left empty.

        Raises:
            Invalid: with ``what`` the field is called on the page.
        """
        text = self.text(name)
        if not text:
            return None
        if not text.isascii() or not text.lstrip("-").isdigit() or len(text) > 18:
            raise Invalid(f"{what} must be a whole number", hint="Correct it, or leave it empty.")
        return int(text)

    def number(self, name: str, what: str) -> float | None:
        """As `whole`, with digits behind a point."""
        text = self.text(name)
        try:
            return float(text) if text else None
        except ValueError:
            raise Invalid(f"{what} must be a number", hint="Correct it, or leave it empty.") from None

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the API as the person; raises its problems."""
        return await self.services.ask(self.request, method, path, body)

    async def get(self, path: str, **query: str) -> Any:
        return await self.ask("GET", path + (f"?{urlencode(query)}" if query else ""))


Load = Callable[[Call], Awaitable[dict[str, Any]]]
"""Returns what the template shows."""
Act = Callable[[Call], Awaitable[str]]
"""Does what the form asks for, and returns where to go then, below the dashboard (`done` makes one)."""


def done(path: str, said: str, **query: str) -> str:
    """Return the address of a page that says what was done; ``said`` is a key of `DONE`."""
    assert said in DONE, said
    return f"{path}?{urlencode({**{name: value for name, value in query.items() if value}, 'done': said})}"


def part(value: str) -> str:
    """Return ``value`` as one part of a path of the API."""
    return quote(value, safe="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """``path`` is below the dashboard, ``here`` the entry of the menu it belongs to, ``longest`` a form's bytes.

    ``uploads`` names what may carry a file, with the most bytes of it.
    """

    path: str
    template: str
    load: Load
    here: str = "content"
    acts: Mapping[str, Act] = field(default_factory=dict)
    longest: int = forms.LONGEST
    uploads: Mapping[str, int] = field(default_factory=dict)


SignedIn = Callable[[Request, Principal], Awaitable[Response]]
Wrap = Callable[[SignedIn], Callable[[Request], Awaitable[Response]]]


def routes(services: WebServices, screens: Iterable[Screen], wrap: Wrap) -> list[Route]:
    """Return the routes of the screens; ``wrap`` gives an endpoint the person who is signed in."""
    found = []
    for screen in screens:
        path = f"{services.site.dashboard}/{screen.path}"
        found.append(Route(path, wrap(_looking(services, screen)), methods=["GET"]))
        for name, act in screen.acts.items():
            found.append(Route(f"{path}/{name}", wrap(_doing(services, screen, name, act)), methods=["POST"]))
    return found


def _looking(services: WebServices, screen: Screen) -> SignedIn:
    async def looking(request: Request, who: Principal) -> Response:
        return await _shown(screen, Call(services, request, who))

    return looking


def _doing(services: WebServices, screen: Screen, name: str, act: Act) -> SignedIn:
    async def doing(request: Request, who: Principal) -> Response:
        form, file = await _sent(request, screen, name)
        forms.check(request, form)
        call = Call(services, request, who, form, file)
        try:
            return redirect(services.site.page(await act(call)))
        except NotSignedIn:
            raise
        except Problem as problem:
            return await _shown(screen, call, problem)

    return doing


async def _sent(request: Request, screen: Screen, name: str) -> tuple[dict[str, str], bytes]:
    if name in screen.uploads:
        return await forms.read_upload(request, screen.uploads[name])
    return await forms.read_form(request, screen.longest), b""


async def _shown(screen: Screen, call: Call, problem: Problem | None = None) -> Response:
    values = await screen.load(call)
    told = "" if problem is None else f"{sentence(problem.message)} {problem.hint}".strip()
    return shown(
        call.services,
        call.request,
        call.who,
        screen.template,
        status=200 if problem is None else status_of(problem),
        here=screen.here,
        wrong=told,
        done=DONE.get(call.asked("done"), ""),
        form=call.form,
        **values,
    )


def shown(
    services: WebServices, request: Request, who: Principal, template: str, *, status: int = 200, **values: Any
) -> Response:
    """Return a page of the dashboard, with the token its forms carry."""
    site, xsrf = services.site, forms.token(request)
    fixed = {"wrong": "", "done": "", "form": {}}
    response = page(site, template, status=status, who=who, xsrf=xsrf, now=services.clock.now(), **{**fixed, **values})
    forms.give_token(response, request, site, xsrf)
    return response
