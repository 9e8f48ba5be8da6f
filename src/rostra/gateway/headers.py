"""The one table of what happens to header fields on their way, and the heads written from it.

Identity comes only from Rostra: whatever a client sends under those names is dropped, in every spelling that a WSGI
server would fold into the same variable. Credentials meant for Rostra never reach content. Pure: bytes in, bytes out.
"""

from __future__ import annotations

from enum import IntEnum

from rostra.gateway import cookies
from rostra.gateway.answer_head import Answer
from rostra.gateway.head import CHUNKED, Fields


class Fate(IntEnum):
    KEEP = 0
    DROP = 1
    COOKIES = 2  # without Rostra's own
    AUTHORIZATION = 3  # unless it is meant for Rostra
    SET_COOKIE = 4  # unless it is named like one of Rostra's own


# Names are lower case with underscores read as hyphens; a trailing * stands for any ending.
HOP_BY_HOP = ("connection", "keep-alive", "proxy-*", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings")
WRITTEN_AGAIN = ("host", "content-length", "expect")  # dropped, and then written from what was understood
IDENTITY = (
    "rstudio-connect-*",
    "posit-connect-*",
    "shiny-server-credentials",  # read by Shiny as who the visitor is
    "x-rostra-*",
    "remote-user",
    "x-remote-user",
    "x-auth-request-*",
)
WHENCE = ("x-forwarded", "x-forwarded-*", "forwarded", "x-real-ip", "x-rsc-request")
# Content shares an origin with the dashboard: what would reach beyond its own path is not passed on.
BEYOND_ITS_PATH = ("service-worker-allowed", "alt-svc", "clear-site-data", "strict-transport-security")
FOR_PROXIES = ("x-accel-redirect", "x-sendfile", "x-lighttpd-send-file")
LEAKS = ("server", "x-powered-by")

TO_CONTENT: dict[str, Fate] = {
    **dict.fromkeys((*HOP_BY_HOP, *WRITTEN_AGAIN, *IDENTITY, *WHENCE, "x-rsc-authorization", "proxy"), Fate.DROP),
    "cookie": Fate.COOKIES,
    "authorization": Fate.AUTHORIZATION,
}
TO_CONTROL: dict[str, Fate] = dict.fromkeys((*HOP_BY_HOP, *WRITTEN_AGAIN, *WHENCE, "x-rostra-*"), Fate.DROP)
FROM_CONTENT: dict[str, Fate] = {
    **dict.fromkeys(
        (*HOP_BY_HOP, "content-length", *LEAKS, *BEYOND_ITS_PATH, *FOR_PROXIES, "x-rostra-*"),
        Fate.DROP,
    ),
    "set-cookie": Fate.SET_COOKIE,
}
FROM_CONTROL: dict[str, Fate] = dict.fromkeys((*HOP_BY_HOP, "content-length", *LEAKS, "x-rostra-*"), Fate.DROP)


class Fates(dict[bytes, Fate]):
    """A table by name as sent. Remembers spellings, a bounded number of them, since clients choose names."""

    def __init__(self, table: dict[str, Fate]) -> None:
        super().__init__()
        self._whole = {name: fate for name, fate in table.items() if not name.endswith("*")}
        self._begins = {name[:-1]: fate for name, fate in table.items() if name.endswith("*")}

    def __missing__(self, name: bytes) -> Fate:
        folded = name.decode("latin-1").lower().replace("_", "-")
        fate = self._whole.get(folded, Fate.KEEP)
        for begin, its_fate in self._begins.items():
            if folded.startswith(begin):
                fate = its_fate
        if len(self) < 4096:
            self[name] = fate
        return fate


_TO_CONTENT, _TO_CONTROL = Fates(TO_CONTENT), Fates(TO_CONTROL)
_FROM_CONTENT, _FROM_CONTROL = Fates(FROM_CONTENT), Fates(FROM_CONTROL)


def for_content(fields: Fields) -> bytes:
    """Return the header lines content gets of what the client sent, framing included, without the final empty line."""
    if fields.block_for_content is None:
        fields.block_for_content = _block(fields, _TO_CONTENT)
    return fields.block_for_content


def for_control(fields: Fields) -> bytes:
    if fields.block_for_control is None:
        fields.block_for_control = _block(fields, _TO_CONTROL)
    return fields.block_for_control


def _block(fields: Fields, fates: Fates) -> bytes:
    out: list[bytes] = []
    for name, value in fields.items:
        fate = fates[name]
        if fate is Fate.DROP or (fields.named and name.lower() in fields.named):
            continue
        kept = value if fate is Fate.KEEP else _kept(fate, value)
        if kept is not None:
            out += (name, b": ", kept, b"\r\n")
    if fields.length == CHUNKED:
        out.append(b"Transfer-Encoding: chunked\r\n")
    elif fields.length or any(len(name) == 14 and name.lower() == b"content-length" for name, _ in fields.items):
        out.append(b"Content-Length: %d\r\n" % fields.length)
    if fields.expects:
        out.append(b"Expect: 100-continue\r\n")
    return b"".join(out)


def _kept(fate: Fate, value: bytes) -> bytes | None:
    if fate is Fate.COOKIES:
        return cookies.without_own(value) or None
    if fate is Fate.AUTHORIZATION:
        scheme = value.strip(b" \t").partition(b" ")[0].lower()
        return None if scheme in {b"key", b"connect-bootstrap"} else value
    return value if cookies.may_be_set_by_content(value) else None


def visible(answer: Answer, *, from_content: bool) -> bytes:
    """Return the status line and the header lines a client sees, without framing and without the empty line."""
    fates = _FROM_CONTENT if from_content else _FROM_CONTROL
    out = [answer.line]
    for name, value in answer.items:
        fate = fates[name]
        if fate is Fate.DROP or (answer.named and name.lower() in answer.named):
            continue
        if fate is Fate.KEEP or _kept(fate, value) is not None:
            out += (name, b": ", value, b"\r\n")
    return b"".join(out)


def line(name: str, value: str) -> bytes:
    """Return one header line, or nothing when name or value could be read as more than one."""
    raw = value.encode("utf-8")
    if not name.isascii() or any(mark in name for mark in "\r\n:\0 ") or any(byte < 32 and byte != 9 for byte in raw):
        return b""
    return b"%b: %b\r\n" % (name.encode("ascii"), raw)


def sticky_line(process: str, path: bytes, *, secure: bool) -> bytes:
    """Return the Set-Cookie line that brings a visitor back to the same process."""
    end = b"; Secure\r\n" if secure else b"\r\n"
    return b"Set-Cookie: %b=%b; Path=%b; HttpOnly; SameSite=Lax%b" % (cookies.STICKY, process.encode(), path, end)
