"""Reads the members of a tar stream, one after the other: ustar, pax and GNU names, and nothing that is dangerous.

Our own reader and not the standard library's, because that one reads extended headers of any size into memory, accepts
what other readers read differently, and has known loops and holes in Python 3.11. Promises that every member it yields
has a legal relative path; it never writes anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from rostra.content.errors import BundleRefused
from rostra.content.gzipped import Bounds, Gunzip
from rostra.content.names import components, path_fault

_BLOCK = 512
_ZEROS = bytes(_BLOCK)
_NAME_BYTES = 8192  # a GNU long name; paths themselves are limited further
_PAX_BYTES = 1_048_576  # extended attributes of some systems live there too
_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,7}) ([^=\n]+)=")
_OCTAL = re.compile(rb" *([0-7]*) *")
_REFUSED = {
    b"3": "it is a character device",
    b"4": "it is a block device",
    b"6": "it is a named pipe",
    b"S": "it is a sparse file",
    b"M": "it continues another archive",
}


class Sort(Enum):
    file = "file"
    folder = "folder"
    symlink = "symbolic link"
    hardlink = "hard link"


_SORTS = {
    b"0": Sort.file,
    b"\0": Sort.file,
    b"7": Sort.file,
    b"5": Sort.folder,
    b"2": Sort.symlink,
    b"1": Sort.hardlink,
}


@dataclass(frozen=True, slots=True)
class Member:
    """``path`` is relative and normal; ``""`` is the archive's own root, which only a folder can be.

    ``target`` is where a link points: as written for a symbolic link, normalised like ``path`` for a hard link.
    Owner, times and every mode bit but the owner's ``x`` are not kept.
    """

    path: str
    sort: Sort
    size: int = 0
    executable: bool = False
    target: str = ""


@dataclass(slots=True)
class _Extension:
    """What the headers before a member say of it."""

    name: bytes | None = None
    link: bytes | None = None
    size: int | None = None
    seen: set[str] = field(default_factory=set)

    def once(self, what: str) -> None:
        if what in self.seen:
            raise BundleRefused(f"a member has two {what}s", member=self.name)
        self.seen.add(what)


class Tarball:
    """Iterate over it for the members; between two steps `body` gives the content of the one just yielded."""

    def __init__(self, stream: Gunzip, bounds: Bounds) -> None:
        self._stream = stream
        self._bounds = bounds
        self._left = 0  # bytes of the present member not yet read
        self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        extension, headers = _Extension(), 0
        while (block := self._header()) is not None:
            headers += 1
            if headers > 4 * self._bounds.members + 16:  # a member has at most three extension headers
                raise BundleRefused(f"it has more than {self._bounds.members} members")
            member = self._take(block, extension)
            if member is not None:
                yield member
                extension = _Extension()
            self._finish()
        if extension.seen:
            raise BundleRefused("it ends in the middle of a member")

    def body(self) -> Iterator[bytes]:
        """Yield what is left of the present member's content."""
        for piece in self._stream.upto(self._left):
            self._left -= len(piece)
            yield piece

    def _finish(self) -> None:
        for _ in self.body():
            pass
        self._stream.exactly(self._padding)
        self._padding = 0

    def _header(self) -> bytes | None:
        start = self._stream.read(_BLOCK)
        if not start:
            return None  # some writers leave the end mark out; the gzip checksum says that nothing is missing
        block = start + self._stream.exactly(_BLOCK - len(start))
        if block != _ZEROS:
            return block
        while rest := self._stream.read(65_536):
            if rest.strip(b"\0"):
                raise BundleRefused("something follows the end of the archive")
        return None

    def _take(self, block: bytes, extension: _Extension) -> Member | None:
        """Return the member this header begins, or None for a header that says something of the next one."""
        name = _text_bytes(block[:100])
        _check_sum(block)
        sort, size = block[156:157], _number(block[124:136], name)
        self._expect(size, name)
        if sort in (b"x", b"g", b"L", b"K"):
            self._extend(sort, size, extension)
            return None
        if block[257:263] == b"ustar\0" and (prefix := _text_bytes(block[345:500])):
            name = prefix + b"/" + name
        name = extension.name if extension.name is not None else name
        if extension.size is not None:
            self._expect(size := extension.size, name)
        link = extension.link if extension.link is not None else _text_bytes(block[157:257])
        return _member(name, sort, size, _number(block[100:108], name), link)

    def _expect(self, size: int, name: bytes) -> None:
        if size > self._bounds.total_bytes:
            raise BundleRefused(f"it unpacks to more than {self._bounds.total_bytes} bytes", member=name)
        self._left, self._padding = size, -size % _BLOCK

    def _extend(self, sort: bytes, size: int, extension: _Extension) -> None:
        if size > (_PAX_BYTES if sort in b"xg" else _NAME_BYTES):
            raise BundleRefused("an extended header is too long")
        data = b"".join(self.body())
        if sort == b"L":
            extension.once("name")
            extension.name = _text_bytes(data)
        elif sort == b"K":
            extension.once("link target")
            extension.link = _text_bytes(data)
        elif sort == b"x":
            extension.once("pax header")
            _apply_pax(data, extension)
        elif {key for key, _ in _pax_records(data)} & {b"path", b"linkpath", b"size"}:
            raise BundleRefused("a global header names members")


def _apply_pax(data: bytes, extension: _Extension) -> None:
    for key, value in _pax_records(data):
        if key == b"path":
            extension.once("name")
            extension.name = value
        elif key == b"linkpath":
            extension.once("link target")
            extension.link = value
        elif key == b"size":
            extension.once("size")
            extension.size = _decimal(value)
        elif key.startswith(b"GNU.sparse"):
            raise BundleRefused("it is a sparse file", member=extension.name)


def _pax_records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        start = _PAX_RECORD.match(data, at)
        end = at + int(start[1]) if start else 0
        if start is None or end <= start.end() or end > len(data) or data[end - 1 : end] != b"\n":
            raise BundleRefused("a pax header is damaged")
        yield start[2], data[start.end() : end - 1]
        at = end


def _member(name: bytes, sort: bytes, size: int, mode: int, link: bytes) -> Member:
    kind = _SORTS.get(sort)
    if kind is None:
        rule = _REFUSED.get(sort, "it is neither a file, a folder nor a link")
        raise BundleRefused(rule, member=name)
    text = _decode(name)
    if kind is Sort.file and text.endswith("/"):
        kind = Sort.folder  # how archives before 1988 say folder
    fault = path_fault(text)
    path = "/".join(components(text))
    if not fault and not path and kind is not Sort.folder:
        fault = "it has no name"
    if not fault and size and kind is not Sort.file:
        fault = f"a {kind.value} has content"
    if fault:
        raise BundleRefused(fault, member=name)
    return Member(path, kind, size, bool(mode & 0o100), _target(name, kind, link))


def _target(name: bytes, kind: Sort, link: bytes) -> str:
    if kind not in (Sort.symlink, Sort.hardlink):
        return ""
    text = _decode(link)
    # `..` is legal in a symbolic link; where it leads is judged once the whole archive is known.
    fault = path_fault(text if kind is Sort.hardlink else text.replace("..", "up"))
    if fault or not text:
        raise BundleRefused(f"it is a link, and of its target: {fault or 'it is empty'}", member=name)
    return text if kind is Sort.symlink else "/".join(components(text))


def _check_sum(block: bytes) -> None:
    said = _OCTAL.fullmatch(_text_bytes(block[148:156]))
    if said is None or int(said[1] or b"0", 8) != sum(block) - sum(block[148:156]) + 8 * 32:
        raise BundleRefused("it is not a tar archive, or it is damaged")


def _number(field: bytes, name: bytes) -> int:
    """Octal digits, or base 256 when the first bit is set (how GNU writes large numbers)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = _OCTAL.fullmatch(_text_bytes(field))
    if digits is None:
        raise BundleRefused("a number of its header is damaged or negative", member=name)
    return int(digits[1] or b"0", 8)


def _decimal(value: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,19}", value):
        raise BundleRefused("a pax header is damaged")
    return int(value)


def _text_bytes(field: bytes) -> bytes:
    return field.split(b"\0")[0]


def _decode(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as why:
        raise BundleRefused("its name is not UTF-8", member=name) from why
