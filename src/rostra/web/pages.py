"""What visitors get when content itself cannot be shown: one sentence on what is wrong, one on what to do.

Every function takes plain values and may be called from any route. Browsers get a page, everyone else the same as JSON:
``{"code", "problem", "error", "hint"}``, where ``code`` is the integer of the wire and ``problem`` our stable name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from rostra import errors
from rostra.web.responses import accept_of, json, page, redirect, wants_html
from rostra.web.site import Site

RETRY_SECONDS = 3
_MOST_LINES = 40


@dataclass(frozen=True, slots=True)
class Action:
    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """``about`` is the item's title, ``lines`` are shown as they are, ``more`` is added to the JSON only."""

    status: int
    problem: str
    number: int = 1
    sentence: str
    hint: str
    about: str = ""
    lines: Sequence[str] = ()
    lines_title: str = "What it wrote last"
    actions: Sequence[Action] = ()
    headers: dict[str, str] = field(default_factory=dict)
    framable: bool = True
    more: dict[str, Any] = field(default_factory=dict)


def show(site: Site, request: Request, notice: Notice) -> Response:
    """Return the notice in the form the visitor can read."""
    if not wants_html(accept_of(request)):
        body = {
            "code": notice.number,
            "problem": notice.problem,
            "error": notice.sentence,
            "hint": notice.hint,
            **notice.more,
        }
        return json(notice.status, body, notice.headers)
    return page(
        site, "notice.html", status=notice.status, headers=notice.headers, framable=notice.framable, notice=notice
    )


def not_found(site: Site, request: Request) -> Response:
    """Nothing there, or nothing this visitor may know of; the two are not told apart."""
    notice = Notice(
        status=404,
        problem="not-found",
        number=4,
        sentence="There is nothing at this address.",
        hint="Check it for typing mistakes. If somebody sent it to you, ask whether the content was removed, "
        "or whether you have been given access.",
        actions=[Action("Go to the start page", site.url("/"))],
    )
    return show(site, request, notice)


def not_published(site: Site, request: Request, *, title: str, owner: str) -> Response:
    """The item exists, but nothing has been deployed to it."""
    notice = Notice(
        status=404,
        problem="not-published",
        number=4,
        about=title,
        sentence="Nothing has been published here yet.",
        hint=f"Come back when {owner} has published a first version.",
    )
    return show(site, request, notice)


def sign_in_needed(site: Site, request: Request) -> Response:
    """Browsers are sent to the sign-in page and brought back; programs get 401."""
    path = quote(request.scope["path"], safe="/:@!$&'()*+,;=~")
    target = path + (f"?{request.url.query}" if request.url.query else "")
    if wants_html(accept_of(request)) and request.method in {"GET", "HEAD"}:
        return redirect(f"{site.url('/__login__')}?url={quote(site.url(target), safe='/')}")
    notice = Notice(
        status=401,
        problem="not-signed-in",
        number=24,
        sentence="You have to sign in to see this.",
        hint="Sign in with a browser, or send an API key: Authorization: Key followed by the key.",
        actions=[Action("Sign in", site.url("/__login__"))],
        headers={"WWW-Authenticate": "Key"},
    )
    return show(site, request, notice)


def forbidden(site: Site, request: Request, *, title: str, owner: str, signed_in_as: str | None) -> Response:
    """``owner`` is whom to ask, with an address where there is one; ``title`` may be empty when it is not public."""
    who = f"You are signed in as {signed_in_as}. " if signed_in_as else ""
    notice = Notice(
        status=403,
        problem="forbidden",
        number=22,
        about=title,
        sentence="You do not have access to this.",
        hint=f"{who}Ask {owner} to give you access, or sign in with another account.",
        actions=[Action("Use another account", site.url("/__logout__"))] if signed_in_as else [],
    )
    return show(site, request, notice)


def waiting(
    site: Site,
    request: Request,
    *,
    title: str,
    phase: str,
    status_url: str,
    lines: Sequence[str] = (),
    position: int | None = None,
) -> Response:
    """The content is being started or its packages installed; the page replaces itself when it is ready.

    Args:
        phase: what is going on, in a few words: “Installing packages”.
        status_url: answers `views.Waiting` as JSON (`app.routes` has ``/__status__/{pool}``).
        position: place in the queue from 1, None when it is being worked on.
    """
    headers = {"Retry-After": str(RETRY_SECONDS)}
    if not wants_html(accept_of(request)):
        more = {"phase": phase, "lines": list(lines), "position": position}
        error, hint = f"{title} is starting: {phase}.", f"Try again in {RETRY_SECONDS} seconds."
        return json(503, {"code": 1, "problem": "starting", "error": error, "hint": hint, **more}, headers)
    return page(
        site,
        "waiting.html",
        status=503,
        headers=headers,
        framable=True,
        title=title,
        phase=phase,
        lines=list(lines)[-_MOST_LINES:],
        position=position,
        status_url=status_url,
        refresh_seconds=RETRY_SECONDS,
    )


def failed_to_start(
    site: Site,
    request: Request,
    *,
    title: str,
    owner: str,
    reason: str = "",
    lines: Sequence[str] | None = None,
    logs_url: str | None = None,
) -> Response:
    """The item's process ended before it answered.

    Args:
        reason: one sentence on how it failed (exit status, timeout); shown to everybody.
        lines: the end of its log; None for visitors who may not see it.
        logs_url: the dashboard's page of it, for those who may.
    """
    hint = (
        "The last lines of its log say why. Correct it and publish again, or make an earlier version live."
        if lines is not None
        else f"Try again in a few minutes. If it stays like this, tell {owner}."
    )
    notice = Notice(
        status=502,
        problem="failed-to-start",
        about=title,
        sentence=sentence(f"this content did not start{': ' + reason if reason else ''}"),
        hint=hint,
        lines=list(lines or ())[-_MOST_LINES:],
        actions=[Action("Open the logs", logs_url)] if logs_url else [],
        headers={"Retry-After": "30"},
    )
    return show(site, request, notice)


def failed_to_render(
    site: Site, request: Request, *, title: str, owner: str, reason: str, logs_url: str | None = None
) -> Response:
    """A document has no rendering to show, and making one failed.

    Args:
        reason: says in which cell or lines; shown to those who may see the log.
        logs_url: the dashboard's page of it, for those who may.
    """
    notice = Notice(
        status=502,
        problem="render-failed",
        about=title,
        sentence="This document could not be made.",
        hint=reason if logs_url and reason else f"Tell {owner}, who can correct it and publish it again.",
        actions=[Action("Open the log", logs_url)] if logs_url else [],
    )
    return show(site, request, notice)


def runtime_gone(
    site: Site,
    request: Request,
    *,
    title: str,
    owner: str,
    version: str,
    available: Sequence[str] = (),
    language: str = "Python",
) -> Response:
    """The Python, R or Quarto this item runs on is not on the server any more (502, as clients of the wire expect)."""
    have = f"This server has {language} {', '.join(available)}. " if available else ""
    notice = Notice(
        status=502,
        problem="runtime-gone",
        about=title,
        sentence=f"This content needs {language} {version}, which this server does not have any more.",
        hint=f"{have}Ask {owner} to publish it again for one of these."
        if available
        else f"Ask {owner} to publish it again, or an administrator to bring that {language} back.",
        more={language.lower(): version, "available": list(available)},
    )
    return show(site, request, notice)


def locked(site: Site, request: Request, *, title: str, message: str, owner: str) -> Response:
    """The owner has closed the item; ``message`` is theirs, as plain text."""
    notice = Notice(
        status=403,
        problem="locked",
        about=title,
        sentence="This content is closed at the moment.",
        hint=message.strip() or f"Ask {owner} when it will be open again.",
    )
    return show(site, request, notice)


def at_capacity(site: Site, request: Request, *, title: str, seconds: int = 10) -> Response:
    """Every process is full and no more may be started."""
    notice = Notice(
        status=503,
        problem="at-capacity",
        about=title,
        sentence="Too many people are using this at the moment.",
        hint=f"Try again in {seconds} seconds.",
        headers={"Retry-After": str(seconds)},
    )
    return show(site, request, notice)


_STATUS: tuple[tuple[type[errors.Problem], int], ...] = (
    (errors.TooLarge, 413),
    (errors.Invalid, 400),
    (errors.NotSignedIn, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.Unavailable, 503),
    (errors.Gone, 502),
)


def of_problem(site: Site, request: Request, problem: errors.Problem, *, framable: bool = False) -> Response:
    """Return the page of any error that has its own sentence and hint."""
    notice = Notice(
        status=status_of(problem),
        problem=problem.code,
        number=problem.number,
        sentence=sentence(problem.message),
        hint=problem.hint or "Go back and try again.",
        actions=[Action("Go to the start page", site.url("/"))],
        framable=framable,
    )
    return show(site, request, notice)


def status_of(problem: errors.Problem) -> int:
    """Return the HTTP status of a problem as pages use it."""
    return next((status for family, status in _STATUS if isinstance(problem, family)), 500)


def sentence(message: str) -> str:
    """Return a problem's message as a sentence: messages follow a colon, alone they get a capital and a point."""
    text = message[:1].upper() + message[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
