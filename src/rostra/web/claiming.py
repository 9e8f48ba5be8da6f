"""The page on which a person lets a publishing client act for them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from rostra.auth.principals import Principal
from rostra.web import forms, pages
from rostra.web.responses import page
from rostra.web.services import WebServices


class Claiming:
    def __init__(self, services: WebServices) -> None:
        self._services = services

    async def ask(self, request: Request, who: Principal) -> Response:
        """Show what is about to be given to whom. Only a button: following a link must not be enough."""
        token = request.path_params["token"]
        await self._services.check_claim(who, token)
        site, xsrf = self._services.site, forms.token(request)
        response = page(
            site,
            "confirm.html",
            xsrf=xsrf,
            title="Let a publishing client act for you?",
            text=f"A program asked for this with the token {token[:12]}…. It may then do on {site.name} whatever "
            f"{who.username} may do, until its token is revoked. Go on only if you have just asked your publishing "
            "client to sign in.",
            button="Let it act for me",
            action=site.page(f"claim/{token}"),
            back=site.page(),
        )
        forms.give_token(response, request, site, xsrf)
        return response

    async def claim(self, request: Request, who: Principal) -> Response:
        """Make the key pair theirs."""
        forms.check(request, await forms.read_form(request))
        await self._services.claim(who, request.path_params["token"])
        notice = pages.Notice(
            status=200,
            problem="claimed",
            sentence="The publishing client is signed in.",
            hint="You can close this page and go back to it.",
            framable=False,
        )
        return pages.show(self._services.site, request, notice)
