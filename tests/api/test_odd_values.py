"""What no database takes is refused, or brought to where it can be, before one is asked."""

from __future__ import annotations

import pytest
from support.api import World

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "path",
    ["v1/tags?name=%00", "v1/search/variants?q=%00", "v1/tags/%00", "v1/rehearsals/%00", "v1/queue?page_number=%00"],
)
async def test_a_nul_in_an_address(world: World, path: str) -> None:
    answer = await world.client("root").get(path)
    assert answer.status_code == 400
    assert "NUL" in answer.json()["error"]


@pytest.mark.parametrize("name", ["from", "to"])
@pytest.mark.parametrize(
    "moment", ["0001-01-01", "0001-01-01T00:00:00%2B14:00", "9999-12-31", "9999-12-31T23:59:59-14:00"]
)
@pytest.mark.parametrize(
    "path",
    [
        "v1/search/auditlogs",
        "v1/instrumentation/content/hits",
        "v1/instrumentation/shiny/usage",
        "v1/experimental/jobs/summary",
    ],
)
async def test_moments_at_the_ends_of_time(world: World, path: str, name: str, moment: str) -> None:
    answer = await world.client("root").get(f"{path}?{name}={moment}")
    assert answer.status_code in (200, 400), answer.text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
async def test_numbers_that_are_none(world: World, number: str) -> None:
    body = '{"name": "i", "template": "custom", "config": {"client_id": NUMBER}}'.replace("NUMBER", number)
    answer = await world.client("root").post("v1/oauth/integrations", body.encode())
    assert (answer.status_code, answer.json()["code"]) == (400, 87)
