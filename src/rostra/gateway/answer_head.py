"""Answer heads from content and control, read as strictly as requests: content is not trusted either.

Pure: bytes in, values out. Source: RFC 9112 §4–§6.
"""

from __future__ import annotations

import re

import httptools

from rostra.errors import Unavailable
from rostra.gateway.head import CHUNKED, Collector

UNTIL_CLOSE = -2  # a length: the body ends with the connection
MOST_FIELDS = 500
LONGEST_HEAD = 262_144  # bytes

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: ([\t -~\x80-\xff]*))?\r\n")
_ANY_LINE = b"HTTP/1.1 200 OK\r\n"


class BadAnswer(Unavailable):
    """What came from a content process is no HTTP answer; the visitor gets 502."""

    code = "bad-answer"


class Answer:
    """Status, fields and framing of one answer; ``length`` is bytes, CHUNKED or UNTIL_CLOSE, whatever was asked."""

    __slots__ = ("items", "keep_alive", "length", "line", "named", "status", "visible")

    def __init__(self, status: int, line: bytes, items: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.line = line  # with HTTP/1.1 and CRLF
        self.items = items
        self.length = UNTIL_CLOSE
        self.keep_alive = False
        self.named: frozenset[bytes] = frozenset()
        self.visible: bytes | None = None  # the fields a client sees; filled by headers.py

    @property
    def has_no_body(self) -> bool:
        return self.status in {204, 304} or self.status < 200


def read_answer(head: bytes) -> Answer:
    """Read ``head``, a whole one with its empty line.

    Raises:
        BadAnswer: malformed or contradictory.
    """
    line = _STATUS_LINE.match(head)
    if line is None:
        raise BadAnswer("the status line is malformed")
    collector = Collector()
    try:
        httptools.HttpResponseParser(collector).feed_data(_ANY_LINE + head[line.end() :])
    except httptools.HttpParserError as why:
        raise BadAnswer(f"the header fields are malformed: {why}") from None
    if len(collector.items) > MOST_FIELDS:
        raise BadAnswer("there are too many header fields")
    answer = Answer(int(line[2]), b"HTTP/1.1 %b %b\r\n" % (line[2], line[3] or b""), collector.items)
    _frame(answer, is_11=line[1] == b"1")
    return answer


def _frame(answer: Answer, *, is_11: bool) -> None:
    tokens: set[bytes] = set()
    for name, value in answer.items:
        size = len(name)
        if size == 14 and name.lower() == b"content-length":
            answer.length = _length(answer, value.strip(b" \t"))
        elif size == 17 and name.lower() == b"transfer-encoding":
            if value.strip(b" \t").lower() != b"chunked" or not is_11 or answer.length != UNTIL_CLOSE:
                raise BadAnswer("the transfer coding is not chunked")
            answer.length = CHUNKED
        elif size == 10 and name.lower() == b"connection":
            tokens |= {part.strip(b" \t").lower() for part in value.split(b",")}
    answer.keep_alive = b"close" not in tokens if is_11 else b"keep-alive" in tokens
    answer.named = frozenset(tokens - {b"", b"close", b"keep-alive", b"upgrade"})


def _length(answer: Answer, value: bytes) -> int:
    if answer.length != UNTIL_CLOSE or not value.isdigit() or len(value) > 18:
        raise BadAnswer("the length is given twice or is not a number")
    return int(value)
