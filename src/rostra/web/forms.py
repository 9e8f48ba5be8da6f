"""Reads posted forms, and refuses those that another site made a browser send."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from rostra.auth import sessions
from rostra.auth.credentials import WrongXsrf
from rostra.errors import Invalid, TooLarge
from rostra.ids import new_secret
from rostra.units import human_size
from rostra.web.site import Site

LONGEST = 16_384  # bytes; nearly every form of ours is a few words
_MOST_FIELDS = 90
FIELD = "xsrf"


class FormTooLarge(TooLarge):
    code = "form-too-large"


async def read_form(request: Request, longest: int = LONGEST) -> dict[str, str]:
    """Return the fields of a form of at most ``longest`` bytes, the last of equal names.

    Raises:
        FormTooLarge, Invalid: not something a form of ours can have sent.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > longest:
            raise FormTooLarge("the form is too large", hint="Go back and shorten what you wrote.")
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        raise Invalid("this is not a form of this server", hint="Go back, reload the page and try again.")
    try:
        return dict(
            parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
        )
    except ValueError as why:
        raise Invalid("the form cannot be read", hint="Go back, reload the page and try again.") from why


async def read_upload(request: Request, most: int) -> tuple[dict[str, str], bytes]:
    """Return the fields of a form with one file of at most ``most`` bytes, and the file.

    Raises:
        FormTooLarge, Invalid: not something a form of ours can have sent.
    """
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await read_form(request), b""
    length = request.headers.get("content-length", "")
    if not length.isdecimal():  # browsers say it; without it a file could fill the disk before it is found too large
        raise Invalid("the form does not say how long it is", hint="Send it with a browser.")
    if int(length) > most + LONGEST:
        raise FormTooLarge("the file is too large", hint=f"Choose one of up to {human_size(most)}.")
    fields: dict[str, str] = {}
    file = b""
    try:
        async with request.form(max_files=1, max_fields=_MOST_FIELDS, max_part_size=LONGEST) as form:
            for name, value in form.items():
                if isinstance(value, str):
                    fields[name] = value
                else:
                    file = await value.read(most + 1)
    except HTTPException as why:
        raise Invalid("the form cannot be read", hint="Go back, reload the page and try again.") from why
    if len(file) > most:
        raise FormTooLarge("the file is too large", hint=f"Choose one of up to {human_size(most)}.")
    return fields, file


def token(request: Request) -> str:
    """Return what forms on the page must carry: bound to the session, or to this browser before there is one."""
    session = request.cookies.get(sessions.COOKIE)
    if session:
        return sessions.xsrf_of(session)
    return request.cookies.get(sessions.XSRF_COOKIE) or new_secret()


def give_token(response: Response, request: Request, site: Site, value: str) -> None:
    """Have the browser keep the token, when it does not already."""
    if request.cookies.get(sessions.XSRF_COOKIE) != value:
        set_cookie(response, request, site, sessions.XSRF_COOKIE, value, script=True)


def check(request: Request, form: Mapping[str, str]) -> None:
    """Raises `WrongXsrf` unless the form comes from a page of ours in this very browser."""
    session = request.cookies.get(sessions.COOKIE)
    expected = sessions.xsrf_of(session) if session else request.cookies.get(sessions.XSRF_COOKIE, "")
    given = form.get(FIELD, "")
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()) or _foreign(request):
        raise WrongXsrf


def _foreign(request: Request) -> bool:
    """Return whether the browser itself says that another site sent this."""
    if request.headers.get("sec-fetch-site", "same-origin") == "cross-site":
        return True
    origin = request.headers.get("origin")
    return origin is not None and origin != "null" and urlsplit(origin).netloc != request.headers.get("host")


def set_cookie(
    response: Response, request: Request, site: Site, name: str, value: str, *, seconds: int | None = None,
    script: bool = False,
) -> None:  # fmt: skip
    """Set a cookie of ours. ``seconds`` None: until the browser is closed. ``script``: pages' scripts may read it."""
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=site.cookie_path,
        secure=request.url.scheme == "https",
        httponly=not script,
        samesite="lax",
    )


def drop_cookie(response: Response, site: Site, name: str) -> None:
    response.delete_cookie(name, path=site.cookie_path)
