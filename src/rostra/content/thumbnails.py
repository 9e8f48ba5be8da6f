"""Thumbnails: one small picture of an item, kept in the database. What it is, its bytes say, not its sender."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.tables import Item, Thumbnail
from rostra.errors import Invalid, NotFound

MOST_BYTES = 10_000_000


class NoThumbnail(NotFound):
    code = "no-thumbnail"
    number = 17

    def __init__(self) -> None:
        super().__init__("this content has no thumbnail", hint="Send one first.")


class NotAnImage(Invalid):
    code = "not-an-image"
    number = 25

    def __init__(self) -> None:
        super().__init__("that is no picture this server shows", hint="Send a PNG, JPEG, GIF or WebP file.")


def media_type(image: bytes) -> str:
    """Return what the bytes are. SVG is not among them: it can carry scripts.

    Raises:
        NotAnImage
    """
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if image.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if image.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if image.startswith(b"RIFF") and image[8:12] == b"WEBP":
        return "image/webp"
    raise NotAnImage


async def put(session: AsyncSession, item: Item, image: bytes, now: dt.datetime) -> None:
    """Give the item a thumbnail, in the place of the one it had.

    Raises:
        NotAnImage
    """
    kind = media_type(image)
    there = await session.get(Thumbnail, item.id) or Thumbnail(item_id=item.id)
    there.media_type, there.image, there.updated_at = kind, image, now
    session.add(there)
    await session.flush()


async def get(session: AsyncSession, item: Item) -> Thumbnail | None:
    return await session.get(Thumbnail, item.id)


async def remove(session: AsyncSession, item: Item) -> None:
    """Raises: NoThumbnail."""
    there = await get(session, item)
    if there is None:
        raise NoThumbnail
    await session.delete(there)
