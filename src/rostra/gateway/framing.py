"""How a message body is delimited: read strictly, written again in one way.

Each reader's ``feed`` takes bytes and returns (payload, rest): ``rest`` is None while more is to come, else whatever
followed the body. Memory does not depend on the size of the body. Source: RFC 9112 §6, §7.
"""

from __future__ import annotations

import re
from typing import Protocol

from rostra.errors import Invalid

LAST_CHUNK = b"0\r\n\r\n"
LONGEST_LINE = 4096  # one chunk-size line with its extensions, one trailer field
MOST_TRAILERS = 64

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t -~\x80-\xff]*)?")
_TRAILER_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t -~\x80-\xff]*")


class BadFraming(Invalid):
    code = "bad-framing"


class Body(Protocol):
    def feed(self, data: bytes) -> tuple[bytes, bytes | None]: ...


class Length:
    """A body of ``left`` more bytes."""

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        size = len(data)
        if size < self.left:
            self.left -= size
            return data, None
        end, self.left = self.left, 0
        return (data, b"") if end == size else (data[:end], data[end:])


class UntilClose:
    """A body that ends when its connection does; only answers may have one."""

    __slots__ = ()

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        return data, None


_SIZE, _DATA, _DATA_END, _TRAILER, _ENDED = range(5)


class Chunked:
    """A chunked body. Extensions and trailers are checked and dropped."""

    __slots__ = ("_held", "_left", "_step", "_trailers")

    def __init__(self) -> None:
        self._held = b""  # an incomplete line
        self._left = 0  # of the chunk being read
        self._step = _SIZE
        self._trailers = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes | None]:
        if self._held:
            data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at: int | None = 0
        while at is not None and at < len(data):
            if self._step == _SIZE:
                at = self._read_size(data, at)
            elif self._step == _DATA:
                at = self._read_data(data, at, pieces)
            elif self._step == _DATA_END:
                at = self._read_data_end(data, at)
            else:
                at = self._read_trailer(data, at)
                if at is not None and self._step == _ENDED:
                    return b"".join(pieces), data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces), None

    def _read_size(self, data: bytes, at: int) -> int | None:
        end = self._line_end(data, at)
        if end is None:
            return None
        found = _SIZE_LINE.fullmatch(data, at, end)
        if found is None:
            raise BadFraming("a chunk does not begin with its size")
        self._left = int(found[1], 16)
        self._step = _DATA if self._left else _TRAILER
        return end + 2

    def _read_data(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        piece = data[at : at + self._left]
        pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = _DATA_END
        return at + len(piece)

    def _read_data_end(self, data: bytes, at: int) -> int | None:
        mark = data[at : at + 2]
        if mark == b"\r\n":
            self._step = _SIZE
            return at + 2
        if mark != b"\r":
            raise BadFraming("a chunk does not end where its size says")
        self._held = mark
        return None

    def _read_trailer(self, data: bytes, at: int) -> int | None:
        end = self._line_end(data, at)
        if end is None:
            return None
        if end == at:
            self._step = _ENDED
            return end + 2
        self._trailers += 1
        if self._trailers > MOST_TRAILERS or not _TRAILER_LINE.fullmatch(data, at, end):
            raise BadFraming("the trailer of a chunked body is malformed")
        return end + 2

    def _line_end(self, data: bytes, at: int) -> int | None:
        end = data.find(b"\r\n", at, at + LONGEST_LINE)
        if end >= 0:
            return end
        if len(data) - at >= LONGEST_LINE:
            raise BadFraming("a line of a chunked body is too long")
        self._held = data[at:]
        return None


def chunk(payload: bytes) -> bytes:
    """Return ``payload`` as one chunk; nothing for nothing, because an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""
