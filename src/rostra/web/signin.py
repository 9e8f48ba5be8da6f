"""Signing in and out: the form, the one-time link and their rules."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from rostra.auth import sessions
from rostra.auth.credentials import WrongXsrf
from rostra.auth.principals import BadCredential, Principal
from rostra.auth.sessions import SignedIn
from rostra.auth.throttle import Throttle, TooManyTries
from rostra.errors import Problem
from rostra.web import forms
from rostra.web.pages import sentence, status_of
from rostra.web.responses import accept_of, json, page, redirect, wants_html
from rostra.web.returning import safe_return
from rostra.web.services import WebServices


class SignIn:
    """The endpoints; ``throttle`` is shared by everything that takes a password."""

    def __init__(self, services: WebServices, throttle: Throttle) -> None:
        self._services = services
        self._throttle = throttle

    async def form(self, request: Request) -> Response:
        url = self._return(request, request.query_params.get("url"))
        if await self._known(request) is not None:
            return redirect(url)
        return self._form(request, url)

    async def submit(self, request: Request) -> Response:
        form = await forms.read_form(request)
        url = self._return(request, form.get("url"))
        try:
            forms.check(request, form)
            given = await self._try(request, form.get("username", ""), form.get("password", ""))
        except Problem as problem:
            return self._refused(request, url, form.get("username", ""), problem)
        return self._welcome(request, given, url)

    async def link(self, request: Request) -> Response:
        # Only a button: programs that preview links would use it up.
        return self._confirm(
            request,
            title=f"Sign in to {self._services.site.name}",
            text="This link works once, and only for a short time.",
            button="Sign in",
            action=self._services.site.url(f"/__signin__/{request.path_params['token']}"),
        )

    async def use_link(self, request: Request) -> Response:
        forms.check(request, await forms.read_form(request))
        given = await self._services.redeem(request.path_params["token"], self._services.client_address(request))
        return self._welcome(request, given, self._services.site.page())

    async def leaving(self, request: Request) -> Response:
        if await self._known(request) is None:
            return redirect(self._services.site.url("/__login__"))
        return self._confirm(
            request,
            title="Sign out?",
            text="You have to sign in again to see content that is not public.",
            button="Sign out",
            action=self._services.site.url("/__logout__"),
            back=self._services.site.page(),
        )

    async def leave(self, request: Request) -> Response:
        forms.check(request, await forms.read_form(request))
        site = self._services.site
        await self._services.sign_out(request.cookies.get(sessions.COOKIE, ""), self._services.client_address(request))
        response = redirect(site.url("/__login__"))
        forms.drop_cookie(response, site, sessions.COOKIE)
        forms.drop_cookie(response, site, sessions.XSRF_COOKIE)
        return response

    async def _try(self, request: Request, username: str, password: str) -> SignedIn:
        address = self._services.client_address(request)
        self._throttle.begin(username, address)
        given = await self._services.sign_in(username, password, address)
        self._throttle.succeeded(username, address)
        return given

    async def _known(self, request: Request) -> Principal | None:
        try:
            return await self._services.principal(request)
        except BadCredential:
            return None

    def _return(self, request: Request, wanted: str | None) -> str:
        origin = f"{request.url.scheme}://{request.headers.get('host', '')}"
        return safe_return(wanted, origin=origin, fallback=self._services.site.page())

    def _welcome(self, request: Request, given: SignedIn, url: str) -> Response:
        site, response = self._services.site, redirect(url)
        seconds = int((given.expires_at - self._services.clock.now()).total_seconds())
        forms.set_cookie(response, request, site, sessions.COOKIE, given.token, seconds=seconds)
        forms.set_cookie(response, request, site, sessions.XSRF_COOKIE, given.xsrf, seconds=seconds, script=True)
        return response

    def _refused(self, request: Request, url: str, username: str, problem: Problem) -> Response:
        late = "The page was open for too long, or cookies are off. Try again from this page."
        hint = late if isinstance(problem, WrongXsrf) else problem.hint
        headers = {"Retry-After": str(problem.wait_seconds)} if isinstance(problem, TooManyTries) else {}
        status = 429 if isinstance(problem, TooManyTries) else status_of(problem)
        if not wants_html(accept_of(request)):
            body = {"code": problem.number, "problem": problem.code, "error": sentence(problem.message), "hint": hint}
            return json(status, body, headers)
        shown = {"error": sentence(problem.message), "hint": hint, "username": username[:200]}
        return self._form(request, url, status=status, headers=headers, **shown)

    def _form(
        self,
        request: Request,
        url: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        error: str = "",
        hint: str = "",
        username: str = "",
    ) -> Response:
        return self._with_token(
            request,
            lambda xsrf: page(
                self._services.site,
                "login.html",
                status=status,
                headers=headers,
                url=url,
                error=error,
                hint=hint,
                username=username,
                xsrf=xsrf,
            ),
        )

    def _confirm(
        self, request: Request, *, title: str, text: str, button: str, action: str, back: str | None = None
    ) -> Response:
        return self._with_token(
            request,
            lambda xsrf: page(
                self._services.site,
                "confirm.html",
                xsrf=xsrf,
                title=title,
                text=text,
                button=button,
                action=action,
                back=back,
            ),
        )

    def _with_token(self, request: Request, make: Callable[[str], Response]) -> Response:
        xsrf = forms.token(request)
        response = make(xsrf)
        forms.give_token(response, request, self._services.site, xsrf)
        return response
