"""Texts administrators write for everybody on the server, in Markdown."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.names import storable
from rostra.content.tables import Notice
from rostra.errors import Invalid

DOCUMENTATION = "documentation"
LONGEST = 500_000  # characters


class DocumentationLength(Invalid):
    code = "documentation-length"
    number = 255

    def __init__(self) -> None:
        super().__init__(f"the documentation is a text of 1 to {LONGEST} characters", hint="Delete it to have none.")


async def get(session: AsyncSession, name: str) -> Notice | None:
    return await session.get(Notice, name)


async def put(session: AsyncSession, name: str, text: object, now: dt.datetime) -> Notice:
    """Raises: DocumentationLength."""
    if not isinstance(text, str) or not 1 <= len(text) <= LONGEST or not storable(text):
        raise DocumentationLength
    row = await session.get(Notice, name)
    if row is None:
        row = Notice(name=name, text=text, updated_at=now)
        session.add(row)
    else:
        row.text, row.updated_at = text, now
    await session.flush()
    return row


async def remove(session: AsyncSession, name: str) -> None:
    """Removing what is not there is fine."""
    row = await session.get(Notice, name)
    if row is not None:
        await session.delete(row)
