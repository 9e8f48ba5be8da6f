"""The API on both databases; `world` is a server's inside with a few people in it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from support import api
from support.database import *  # noqa: F403

from rostra.config.sections import Settings


@pytest.fixture
async def world(engine: AsyncEngine, database_settings: Settings) -> AsyncIterator[api.World]:
    async with api.world(engine, database_settings) as made:
        yield made
