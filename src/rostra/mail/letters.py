"""The letters this server writes: a report, a failure, a test. Each as HTML with inlined styles, and as plain text."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import css_inline
import jinja2

from rostra.mail.message import Letter

_MOST_LINES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What every letter about a document names. Addresses are absolute; ``at`` is aware."""

    server: str
    title: str
    url: str
    settings_url: str
    at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a change of Python does to one item. ``edits``: (line, line to write instead). Empty texts are left out."""

    title: str
    url: str
    before: str
    after: str
    visits: int
    reason: str = ""
    where: str = ""
    action: str = ""
    edits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Changes of one sort: what they are called, and what that means."""

    title: str
    means: str
    changes: tuple[Change, ...]


def report(
    told: Told,
    *,
    page: str | None,
    revision_url: str,
    attachments: Sequence[tuple[str, str]] = (),
    subject: str = "",
    own: str | None = None,
) -> Letter:
    """Return the letter that brings a finished report; with ``page`` (a path under the data folder) in its body.

    ``own`` is the text of a document that writes its mail itself, empty when it writes HTML only.
    """
    text, html = _written("report", told=told, revision_url=revision_url, page=page is not None, own=own)
    return Letter(
        subject=subject or told.title,
        text=text,
        html=html,
        page=page,
        page_url=revision_url,
        attachments=tuple(attachments),
    )


def failure(
    told: Told, *, why: str, hint: str, lines: Sequence[str], logs_url: str, scheduled: bool, kept: dt.datetime | None
) -> Letter:
    """Return the letter about a report that could not be made. ``kept`` is when the one still shown was made."""
    text, html = _written(
        "failure",
        told=told,
        why=why,
        hint=hint,
        lines=list(lines)[-_MOST_LINES:],
        logs_url=logs_url,
        scheduled=scheduled,
        kept=kept,
    )
    return Letter(subject=f"{told.title} could not be rendered", text=text, html=html)


def not_updated(told: Told, *, why: str, source: str, every: dt.timedelta) -> Letter:
    """Return the letter about content that could not be updated from ``source``, which is looked at ``every`` so often.

    ``why`` and ``source`` are empty for who may not see them.
    """
    minutes = max(1, round(every.total_seconds() / 60))
    again = "minute" if minutes == 1 else f"{minutes} minutes"
    text, html = _written("not_updated", told=told, why=why, source=source, again=again)
    return Letter(subject=f"{told.title} could not be updated from Git", text=text, html=html)


def trial(server: str, url: str, asked_by: str) -> Letter:
    """Return the letter an administrator sends to see that mail works."""
    text, html = _written("trial", server=server, url=url, asked_by=asked_by)
    return Letter(subject=f"Mail from {server} works", text=text, html=html)


def retiring(
    *,
    server: str,
    owner: str,
    versions: Sequence[str],
    day: dt.date | None,
    rehearsed: dt.datetime,
    groups: Sequence[Group],
) -> Letter:
    """Return the letter to an owner about what retiring a Python does. ``day``: from when it is retired, if known."""
    count = sum(bool(change.action) for group in groups for change in group.changes)
    python = f"Python {', '.join(versions)}"
    text, html = _written(
        "retiring", server=server, owner=owner, python=python, day=day, rehearsed=rehearsed, groups=groups, count=count
    )
    subject = (
        f"{python} will be retired: {count} {'item' if count == 1 else 'items'} of yours need{'s' * (count == 1)} you"
    )
    return Letter(subject=subject, text=text, html=html)


def _written(name: str, **values: object) -> tuple[str, str]:
    html = _environment().get_template(f"{name}.html").render(values)
    text = _environment().get_template(f"{name}.txt").render(values)
    return text, css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False).inline(html)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=jinja2.select_autoescape(("html",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["stamp"] = lambda moment: moment.astimezone(dt.UTC).strftime("%-d %B %Y, %H:%M UTC")
    environment.filters["day"] = lambda day: day.strftime("%-d %B %Y")
    return environment
