from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from support.database import *  # noqa: F403

from rostra.db.engine import Sessions, transaction


@pytest.fixture
async def session(sessions: Sessions) -> AsyncIterator[AsyncSession]:
    """One transaction around the whole test."""
    async with transaction(sessions) as session:
        yield session
