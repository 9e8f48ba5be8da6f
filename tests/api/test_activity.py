import datetime as dt

import pytest
from support.api import World, live_item
from support.moments import NOON

from rostra.auth.tables import User
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio


async def test_active_people_are_counted_by_span_and_role(world: World) -> None:
    seen = {"ada": 0.5, "bob": 3, "vic": 20}  # days ago
    async with transaction(world.live.sessions) as session:
        for name, days in seen.items():
            user = await session.get(User, world.users[name].id)
            assert user is not None
            user.active_at = NOON - dt.timedelta(days=days)
    told = (await world.client("root").read("v1/metrics/users/active"))["active"]
    assert told["1_day"] == {"viewer": 0, "publisher": 1, "administrator": 1, "total": 2}
    assert [told[span]["total"] for span in ("7_days", "30_days", "365_days")] == [3, 4, 4]


async def test_features_are_counted(world: World) -> None:
    item = await live_item(world)
    await world.client("ada").ask("PUT", f"v1/content/{item['guid']}/vanity", {"path": "/x/"})
    deleted = (await live_item(world))["guid"]
    await world.client("ada").ask("DELETE", f"v1/content/{deleted}")
    told = await world.client("root").read("v1/feature-usage")
    assert (told["content"], told["content_with_vanity_url"], told["users"]) == (1, 1, 4)
    assert told["content_by_app_mode"] == {"python-fastapi": 1}
