"""Reads gzip as a stream within bounds: nothing a stranger compressed can use more memory, disk or time than stated."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from rostra.content.errors import BundleRefused

_BLOCK = 256 * 1024  # bytes held of what was read, and of what came out
_GZIP = 31  # zlib's wbits: a gzip header and checksum are expected
_MAGIC = b"\x1f\x8b"
_MOST_PARTS = 200_000  # blocked compressors write one gzip member for each 64 kB


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What one bundle may cost.

    ``members`` counts files, links and folders, also folders that are only implied. ``total_bytes`` is what comes out
    of the compression. Above ``ratio_from`` bytes, more than ``ratio`` bytes may not come from one.
    """

    members: int = 100_000
    total_bytes: int = 8_000_000_000
    ratio: int = 200
    ratio_from: int = 64_000_000


class Gunzip:
    """The decompressed bytes of ``file``. Several gzip members in a row are one stream, as RFC 1952 says.

    ``tick`` is called for each block; what it raises ends the reading.
    Every method raises `BundleRefused` when the data is broken, cut off, followed by something, or beyond the bounds.
    """

    def __init__(self, file: BinaryIO, bounds: Bounds, tick: Callable[[], None] = lambda: None) -> None:
        self._file = file
        self._bounds = bounds
        self._tick = tick
        self._engine = zlib.decompressobj(_GZIP)
        self._input = b""
        self._output = memoryview(b"")
        self._consumed = self._produced = 0
        self._parts = 1
        self._ended = False

    def read(self, most: int) -> bytes:
        """Return between 1 and ``most`` bytes, or none at the end."""
        while not self._output:
            if self._ended:
                return b""
            self._fill()
        found, self._output = self._output[:most], self._output[most:]
        return bytes(found)

    def upto(self, count: int) -> Iterator[bytes]:
        """Yield pieces that are ``count`` bytes together."""
        while count:
            piece = self.read(min(count, _BLOCK))
            if not piece:
                raise BundleRefused("it ends in the middle of a member")
            count -= len(piece)
            yield piece

    def exactly(self, count: int) -> bytes:
        return b"".join(self.upto(count))

    def _fill(self) -> None:
        self._tick()
        if self._engine.eof:
            self._next_part()
            return
        more = self._input or self._take()
        try:
            out = self._engine.decompress(more, _BLOCK)
        except zlib.error as why:
            raise BundleRefused("it is not a gzip archive, or it is damaged") from why
        self._input = self._engine.unconsumed_tail
        if not (more or out or self._engine.eof):
            raise BundleRefused("the gzip archive is cut off")
        self._count(len(out))
        self._output = memoryview(out)

    def _take(self) -> bytes:
        data = self._file.read(_BLOCK)
        self._consumed += len(data)
        return data

    def _count(self, produced: int) -> None:
        self._produced += produced
        if self._produced > self._bounds.total_bytes:
            raise BundleRefused(f"it unpacks to more than {self._bounds.total_bytes} bytes")
        if self._produced > max(self._bounds.ratio_from, self._bounds.ratio * self._consumed):
            raise BundleRefused(f"it unpacks to more than {self._bounds.ratio} times its size")

    def _next_part(self) -> None:
        rest = self._engine.unused_data or self._take()
        if len(rest) == 1:
            rest += self._take()
        if rest[:2] == _MAGIC:
            self._parts += 1
            if self._parts > _MOST_PARTS:
                raise BundleRefused("it is compressed in too many pieces")
            self._engine, self._input = zlib.decompressobj(_GZIP), rest
            return
        while rest:
            if rest.strip(b"\0"):  # zeros are the padding of tapes and block devices
                raise BundleRefused("something follows the gzip archive")
            self._tick()
            rest = self._take()
        self._ended = True
