"""Builds bundles for tests: honest ones, and such as only an attacker would send."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import Any

MANIFEST: dict[str, Any] = {"version": 1, "metadata": {"appmode": "python-api", "entrypoint": "app"}, "files": {}}


def manifest(**more: Any) -> bytes:
    return json.dumps(MANIFEST | more).encode()


def member(
    name: str | bytes,
    content: bytes = b"",
    *,
    sort: bytes = b"0",
    link: str | bytes = "",
    mode: int = 0o644,
    size: int | bytes | None = None,
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
) -> bytes:
    """One member as raw tar blocks, with a right checksum and whatever else was asked for."""
    name_bytes = name.encode() if isinstance(name, str) else name
    link_bytes = link.encode() if isinstance(link, str) else link
    given = len(content) if size is None else size
    size_field = given if isinstance(given, bytes) else b"%011o\0" % given
    head = b"".join(
        (
            name_bytes.ljust(100, b"\0"), b"%07o\0" % mode, b"0000000\0", b"0000000\0", size_field, b"%011o\0" % 0,
            b" " * 8, sort, link_bytes.ljust(100, b"\0"), magic, b"root".ljust(32, b"\0"), b"root".ljust(32, b"\0"),
            b"0000000\0", b"0000000\0", prefix.ljust(155, b"\0"),
        )
    ).ljust(512, b"\0")  # fmt: skip
    head = head[:148] + b"%06o\0 " % sum(head) + head[156:]
    return head + content + b"\0" * (-len(content) % 512)


def pax(records: dict[str, str | bytes], sort: bytes = b"x") -> bytes:
    """An extended header for the member after it."""
    lines = b""
    for key, value in records.items():
        line = b" " + key.encode() + b"=" + (value.encode() if isinstance(value, str) else value) + b"\n"
        length = len(line) + 1
        while len(str(length)) + len(line) != length:
            length = len(str(length)) + len(line)
        lines += str(length).encode() + line
    return member("PaxHeader", lines, sort=sort)


def tar(*members: bytes, end: bytes = b"\0" * 1024) -> bytes:
    return b"".join(members) + end


def archive(*members: bytes, end: bytes = b"\0" * 1024) -> bytes:
    """A gzip tar of raw members, after a good manifest."""
    return gzip.compress(tar(member("manifest.json", manifest()), *members, end=end), mtime=0)


def bundle(content: dict[str, str | bytes] | None = None, **manifest_keys: Any) -> bytes:
    """An honest bundle as the publishing client makes it, through the standard library."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as made:
        for name, text in {"manifest.json": manifest(**manifest_keys), **(content or {"app.py": "app = 1\n"})}.items():
            data = text.encode() if isinstance(text, str) else text
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()
