"""Mail when polling a repository begins to fail, to whom failures of its item are mailed. Nobody here commits."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.tables import Item, Repository
from rostra.content.tools import Tools
from rostra.mail import letters
from rostra.mail.letters import Told
from rostra.rendering import delivery
from rostra.rendering.variants_people import watchers_of_item


async def tell(session: AsyncSession, tools: Tools, item: Item, row: Repository, why: str, *, poll: str) -> int:
    """Put a letter in the outbox for each of them, once for each ``poll``; return how many that were.

    The reason and the address are for those who may change the item: both may say what only they may know.
    """
    settings = tools.settings()
    told = Told(
        server=settings.server.system_display_name,
        title=item.title or item.name,
        url=f"{tools.server_url}/content/{item.guid}/",
        settings_url=delivery.settings_page(tools, item),
        at=tools.clock.now(),
    )
    every = settings.git.polling_interval
    full = letters.not_updated(told, why=why, source=f"{row.branch} of {row.url}", every=every)
    plain = letters.not_updated(told, why="", source="", every=every)
    found = await watchers_of_item(session, item)
    mails = [(reader, full if reader.may_edit else plain) for reader in found]
    return await delivery.post(session, tools, mails, f"{poll}/git")
