"""A browser without script, for tests of whole pages: it keeps its session, and sends forms as they stand there."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx2
import sqlalchemy as sa

from rostra.auth import sessions
from rostra.auth.tables import User
from rostra.db.engine import transaction
from support.controlling import ORIGIN, World

HEADERS = {"accept": "text/html", "sec-fetch-site": "same-origin", "sec-fetch-mode": "navigate"}


@dataclass
class Form:
    """``fields`` are what the browser would send if nobody touched the form; ``choices`` all values a field offers."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    multipart: bool = False


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select = self._area = ""
        self._chosen = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        name, form = has.get("name", ""), self._form
        if tag == "form":
            multipart = has.get("enctype") == "multipart/form-data"
            self._form = Form(has.get("action", ""), multipart=multipart)
            if has.get("method") == "post":
                self.forms.append(self._form)
        elif form is None:
            return
        elif tag == "input" and name:
            self._input(form, name, has)
        elif tag == "select":
            self._select, self._chosen = name, False
        elif tag == "option" and self._select:
            form.choices.setdefault(self._select, []).append(has["value"])
            if "selected" in has or self._select not in form.fields:
                form.fields[self._select] = has["value"]
        elif tag == "textarea":
            self._area = name
            form.fields[name] = ""

    def _input(self, form: Form, name: str, has: dict[str, str]) -> None:
        kind = has.get("type", "text")
        form.choices.setdefault(name, []).append(has.get("value", "on"))
        if kind == "file" or (kind in {"checkbox", "radio"} and "checked" not in has):
            return
        form.fields[name] = has.get("value", "on" if kind in {"checkbox", "radio"} else "")

    def handle_data(self, data: str) -> None:
        if self._area and self._form:
            self._form.fields[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


def forms_of(html: str) -> list[Form]:
    parser = _Forms()
    parser.feed(html)
    return parser.forms


@dataclass
class Browser:
    """What one person sees. ``page`` is the last answer's text, ``status`` its status, ``at`` where it ended."""

    client: httpx2.AsyncClient
    page: str = ""
    status: int = 0
    at: str = ""

    async def open(self, path: str) -> str:
        return self._seen(await self.client.get(path))

    def form(self, action: str, **fields: str) -> Form:
        """Return the form on the page whose address ends so; with several, the one that carries these fields."""
        found = [one for one in forms_of(self.page) if one.action.endswith(action)]
        for one in found:
            if all(one.fields.get(name) == value for name, value in fields.items()):
                return one
        raise AssertionError(f"no form {action} with {fields} on the page; there is {forms_of(self.page)}")

    async def submit(self, action: str, given: dict[str, str | None] | None = None, **carried: str) -> str:
        """Send the form with these fields filled in (None: not ticked), and follow where it leads."""
        form = self.form(action, **carried)
        for name in given or {}:
            assert name in form.choices or name in form.fields, f"the form has no field {name}"
        fields = {**form.fields, **(given or {})}
        sent = {name: value for name, value in fields.items() if value is not None}
        return self._seen(await self.client.post(form.action, data=sent))

    async def send_file(self, action: str, name: str, content: bytes) -> str:
        form = self.form(action)
        assert form.multipart
        return self._seen(await self.client.post(form.action, data=form.fields, files={name: ("f.png", content)}))

    def _seen(self, answer: httpx2.Response) -> str:
        self.page, self.status, self.at = answer.text, answer.status_code, str(answer.url).removeprefix(ORIGIN)
        return self.page


@contextlib.asynccontextmanager
async def browser(world: World, name: str) -> AsyncIterator[Browser]:
    """A browser in which ``name`` is signed in."""
    tools = world.control.tools
    async with transaction(tools.sessions) as session:
        user = (await session.execute(sa.select(User).where(User.username == name))).scalar_one()
        given = await sessions.begin(session, user.id, tools.settings().authentication, world.house.clock.now())
    transport: Any = httpx2.ASGITransport(app=world.control.app)
    cookies = {sessions.COOKIE: given.token, sessions.XSRF_COOKIE: given.xsrf}
    async with httpx2.AsyncClient(
        transport=transport, base_url=ORIGIN, headers=HEADERS, cookies=cookies, follow_redirects=True
    ) as client:
        yield Browser(client)
