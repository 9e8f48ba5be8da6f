"""Request heads, read strictly: what is doubtful is refused, because the next reader might doubt otherwise.

The request line is matched here; header fields are read by httptools (llhttp in strict mode), which refuses folded
lines, bare CR or LF, NUL, spaces before colons, names that are no tokens, and contradictory framing.
Pure: bytes in, values out. Source: RFC 9112 §2–§6.
"""

from __future__ import annotations

import re

import httptools

from rostra.errors import Invalid
from rostra.gateway import cookies

CHUNKED = -1  # a length: the body is chunked
MOST_FIELDS = 200

_METHOD = rb"[A-Z]{1,24}(?:-[A-Z]{1,24})?"
_REQUEST_LINE = re.compile(rb"(" + _METHOD + rb") ([!-\"$-~]+) HTTP/1\.([01])\r\n")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#@]+)(/[!-~]*|\?[!-~]*|)")
_HOST = re.compile(rb"[A-Za-z0-9\-._~!$&'()*+,;=%:\[\]]*")
_ANY_LINE = b"GET / HTTP/1.1\r\n"  # httptools reads whole heads; the real line has been matched already

NOBODY = (b"none", b"")


class BadHead(Invalid):
    """``status`` is what the client is answered; the connection ends after it."""

    code = "bad-request-head"

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class Fields:
    """What the header fields of a request say. A pure function of their bytes, so it may be remembered by them."""

    __slots__ = (
        "agent",
        "block_for_content",
        "block_for_control",
        "closes",
        "credential",
        "expects",
        "forwarded",
        "host",
        "items",
        "keeps",
        "length",
        "named",
        "navigates",
        "sticky",
        "upgrade",
        "wants_html",
    )

    def __init__(self, items: list[tuple[bytes, bytes]]) -> None:
        self.items = items
        self.host: bytes | None = None
        self.length = 0  # of the body; CHUNKED
        self.closes = self.keeps = False  # Connection: close, keep-alive
        self.named: frozenset[bytes] = frozenset()  # fields that Connection names
        self.upgrade = b""  # lower case, when Connection asks for it too
        self.expects = False  # 100-continue
        self.wants_html = self.navigates = False
        self.agent = b""
        self.credential = NOBODY  # (scheme, value); scheme is key, cookie or none
        self.sticky: tuple[bytes, ...] = ()
        self.forwarded: dict[bytes, bytes] = {}  # x-forwarded-for, -proto, -host and x-rsc-request, as the client said
        self.block_for_content: bytes | None = None  # filled by headers.py
        self.block_for_control: bytes | None = None


class Request:
    """One request line and its fields. ``target`` is raw origin-form; ``path`` is it without the query."""

    __slots__ = ("fields", "host", "keep_alive", "method", "minor", "path", "target")

    def __init__(self, method: bytes, target: bytes, host: bytes, minor: int, fields: Fields) -> None:
        self.method = method
        self.target = target
        self.path = target.partition(b"?")[0]
        self.host = host
        self.minor = minor
        self.fields = fields
        self.keep_alive = not fields.closes if minor else fields.keeps

    @property
    def is_websocket(self) -> bool:
        fields = self.fields
        return fields.upgrade == b"websocket" and self.method == b"GET" and self.minor == 1 and fields.length == 0


def read_request(head: bytes, known: tuple[bytes, Fields] | None = None) -> tuple[Request, tuple[bytes, Fields]]:
    """Read ``head``, a whole one with its empty line. Returns the request and what to pass as ``known`` next time.

    Args:
        known: the fields of an earlier head on the same connection; equal bytes are not read twice.

    Raises:
        BadHead: with the status to answer.
    """
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise BadHead(*_why_not(head))
    method, target, version = line.groups()
    block = head[line.end() :]
    if known is None or known[0] != block:
        known = (block, read_fields(block))
    fields = known[1]
    if target[:1] != b"/":
        target, authority = _origin_form(method, target)
    else:
        authority = b""
    minor = 1 if version == b"1" else 0
    if minor and fields.host is None:
        raise BadHead(400, "the request does not name its host")
    if not minor and fields.length == CHUNKED:
        raise BadHead(400, "an HTTP/1.0 request cannot be chunked")
    return Request(method, target, authority or fields.host or b"", minor, fields), known


def _why_not(head: bytes) -> tuple[int, str]:
    line = head.partition(b"\r\n")[0]
    if re.fullmatch(_METHOD + rb" [!-~]+ HTTP/[0-9](?:\.[0-9])?", line) and not re.search(rb"HTTP/1\.[01]$", line):
        return 505, "only HTTP/1.1 and HTTP/1.0 are spoken here"
    return 400, "the request line is malformed"


def _origin_form(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Return (target, authority) for the other forms; RFC 9112 §3.2.2 says the authority replaces Host."""
    if target == b"*" and method == b"OPTIONS":
        return target, b""
    found = _ABSOLUTE.fullmatch(target)
    if found is None or not _HOST.fullmatch(found[1]):
        raise BadHead(400, "the request target is neither a path nor an http URL")
    path = found[2]
    return (path if path[:1] == b"/" else b"/" + path), found[1]


class Collector:
    """What httptools reports its fields to."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.items.append((name, value))


def read_fields(block: bytes) -> Fields:
    """Read the header fields of a request: lines with their CRLF, and the empty line.

    Raises:
        BadHead: malformed, contradictory or too many.
    """
    collector = Collector()
    parser = httptools.HttpRequestParser(collector)
    try:
        parser.feed_data(_ANY_LINE + block)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as why:
        raise BadHead(400, f"the header fields are malformed: {why}") from None
    if len(collector.items) > MOST_FIELDS:
        raise BadHead(431, f"more than {MOST_FIELDS} header fields")
    return _understood(Fields(collector.items))


def _understood(fields: Fields) -> Fields:
    found: dict[bytes, list[bytes]] = {}
    for name, value in fields.items:
        key = _KNOWN[name]
        if key:
            found.setdefault(key, []).append(value.strip(b" \t"))
    if b"host" in found:
        fields.host = _host(found[b"host"])
    _framing(fields, found)
    _connection(fields, found)
    _who(fields, found)
    accept = b",".join(found.get(b"accept", ()))
    fields.wants_html = b"text/html" in accept
    mode = found.get(b"sec-fetch-mode")
    fields.navigates = mode == [b"navigate"] if mode else fields.wants_html
    fields.agent = found.get(b"user-agent", [b""])[0][:512]
    fields.forwarded = {name: b", ".join(found[name]) for name in _FORWARDED if name in found}
    return fields


def _host(given: list[bytes]) -> bytes:
    if len(given) > 1 or not _HOST.fullmatch(given[0]):
        raise BadHead(400, "the Host field is malformed or given twice")
    return given[0]


def _framing(fields: Fields, found: dict[bytes, list[bytes]]) -> None:
    lengths, codings = found.get(b"content-length", ()), found.get(b"transfer-encoding", ())
    if (lengths and codings) or len(lengths) > 1 or len(codings) > 1:
        raise BadHead(400, "the length of the body is given more than once")
    if codings:
        if codings[0].lower() != b"chunked":
            raise BadHead(501, "the only transfer coding spoken here is chunked")
        fields.length = CHUNKED
    elif lengths:
        if not lengths[0].isdigit() or len(lengths[0]) > 18:
            raise BadHead(400, "Content-Length is not a number")
        fields.length = int(lengths[0])


def _connection(fields: Fields, found: dict[bytes, list[bytes]]) -> None:
    if b"connection" in found:
        tokens = {part.strip(b" \t").lower() for part in b",".join(found[b"connection"]).split(b",")}
        fields.closes = b"close" in tokens
        fields.keeps = b"keep-alive" in tokens
        if b"upgrade" in tokens:
            fields.upgrade = b",".join(found.get(b"upgrade", ())).lower()
        fields.named = frozenset(tokens - {b"", b"close", b"keep-alive", b"upgrade"})
    if b"expect" in found:
        if found[b"expect"][0].lower() != b"100-continue" or len(found[b"expect"]) > 1:
            raise BadHead(417, "the only expectation met here is 100-continue")
        fields.expects = fields.length != 0


def _who(fields: Fields, found: dict[bytes, list[bytes]]) -> None:
    """An Authorization field meant for Rostra outranks cookies: publishing clients replay cookies of others."""
    jar = found.get(b"cookie", ())
    fields.sticky = tuple(one for value in jar for one in cookies.values(value, cookies.STICKY))
    for value in found.get(b"authorization", ()):
        scheme, _, rest = value.partition(b" ")
        if scheme.lower() == b"key":
            fields.credential = (b"key", rest.strip())
            return
        if scheme.lower() == b"connect-bootstrap":
            return
    for value in found.get(b"x-rsc-authorization", ()):
        fields.credential = (b"key", value[4:].strip() if value[:4].lower() == b"key " else value)
        return
    for name in cookies.SESSION:
        # The last one: browsers send the one with the longest path first, and a page of content can set such a one.
        given = [one for value in jar for one in cookies.values(value, name)]
        if given:
            fields.credential = (b"cookie", given[-1])
            return


_FORWARDED = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-rsc-request")
_WORDS = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"upgrade",
        b"expect",
        b"accept",
        b"sec-fetch-mode",
        b"user-agent",
        b"cookie",
        b"authorization",
        b"x-rsc-authorization",
        *_FORWARDED,
    )
)


class _KnownNames(dict[bytes, bytes]):
    """Name as sent → lower case when it means something here, else empty. Bounded, since clients choose names."""

    def __missing__(self, name: bytes) -> bytes:
        lower = name.lower()
        key = lower if lower in _WORDS else b""
        if len(self) < 4096:
            self[name] = key
        return key


_KNOWN = _KnownNames()
