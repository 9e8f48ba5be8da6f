"""The body of a bundle upload: the archive itself, or a form with the archive and what its author says of its source.

The archive goes through in pieces and is never held whole, wherever in the form it stands.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator
from typing import Any

from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from rostra.api.bodies import BadJson, BodyInterrupted, BodyTooLarge
from rostra.errors import Invalid

LARGEST_METADATA = 256_000  # bytes
_OVERHEAD = 1_000_000  # bytes of a form that may be neither archive nor metadata


class BadForm(Invalid):
    code = "bad-form"
    number = 211

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the form is not usable: {why}", hint="Send the parts archive and metadata, or the archive alone."
        )


class Upload:
    """Iterate ``archive()`` once; ``metadata()`` is complete afterwards."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._metadata = b""
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        self._boundary = options.get(b"boundary") if kind == b"multipart/form-data" else None

    @property
    def expected_md5(self) -> str | None:
        """Return the MD5 the client announced, as hexadecimal: it sends base64."""
        announced = self._request.headers.get("x-content-checksum", "").strip()
        try:
            digest = base64.b64decode(announced, validate=True)
        except binascii.Error:
            return announced or None
        return digest.hex() if len(digest) == 16 else announced or None

    async def archive(self) -> AsyncIterator[bytes]:
        """Yield the archive.

        Raises:
            BodyInterrupted, BadForm, BodyTooLarge
        """
        try:
            if self._boundary is None:
                async for piece in self._request.stream():
                    yield piece
            else:
                async for piece in self._from_form(self._boundary):
                    yield piece
        except ClientDisconnect as why:
            raise BodyInterrupted from why

    async def _from_form(self, boundary: bytes) -> AsyncIterator[bytes]:
        form = _Form(boundary)
        async for piece in self._request.stream():
            for part in form.feed(piece):
                yield part
        form.finish()
        self._metadata = bytes(form.metadata)

    def metadata(self) -> dict[str, Any]:
        """Return what the author says of the source; empty when nothing was said.

        Raises:
            BadJson
        """
        try:
            told = json.loads(self._metadata) if self._metadata.strip() else {}
        except (ValueError, RecursionError) as why:
            raise BadJson("the part metadata is not JSON") from why
        if not isinstance(told, dict):
            raise BadJson("the part metadata is not an object")
        return told


class _Form:
    """Takes the form's bytes, gives back those of the part called ``archive``, keeps those of ``metadata``."""

    def __init__(self, boundary: bytes) -> None:
        self.metadata = bytearray()
        self._archive: list[bytes] = []
        self._header, self._value, self._name = bytearray(), bytearray(), b""
        self._left = _OVERHEAD
        self._over = self._any = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begins,
                "on_header_field": lambda data, start, end: self._keep(self._header, data[start:end]),
                "on_header_value": lambda data, start, end: self._keep(self._value, data[start:end]),
                "on_header_end": self._header_ends,
                "on_part_data": self._part_data,
                "on_end": self._ends,
            },
        )

    def feed(self, piece: bytes) -> list[bytes]:
        try:
            self._parser.write(piece)
        except MultipartParseError as why:
            raise BadForm(str(why)) from why
        found, self._archive = self._archive, []
        return found

    def finish(self) -> None:
        if not self._over:
            raise BadForm("its last boundary is missing")
        if not self._any:
            raise BadForm("it has no part called archive")

    def _part_begins(self) -> None:
        self._name = b""
        self._header.clear()
        self._value.clear()

    def _keep(self, where: bytearray, data: bytes) -> None:
        self._spend(len(data))
        where += data

    def _header_ends(self) -> None:
        if bytes(self._header).lower() == b"content-disposition":
            self._name = parse_options_header(bytes(self._value))[1].get(b"name", b"")
            self._any = self._any or self._name == b"archive"
        self._header.clear()
        self._value.clear()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._name == b"archive":
            self._archive.append(data[start:end])
        elif self._name == b"metadata":
            self.metadata += data[start:end]
            if len(self.metadata) > LARGEST_METADATA:
                raise BodyTooLarge(LARGEST_METADATA)
        else:
            self._spend(end - start)

    def _ends(self) -> None:
        self._over = True

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise BodyTooLarge(_OVERHEAD)
