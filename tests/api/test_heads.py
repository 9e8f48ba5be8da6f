"""HEAD is answered wherever GET is, as GET would be, without what it would say."""

from __future__ import annotations

import pytest
from support.api import World

pytestmark = pytest.mark.anyio
DIFFERENT_EACH_TIME = ("x-request-id", "date")


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("ada", "v1/user", 200),
        ("ada", "v1/content?order=name", 200),
        ("ada", "server_settings", 200),
        ("ada", "openapi.json", 200),
        ("ada", "applications/none/config", 404),
        ("ada", "v1/content/none", 404),
        ("ada", "nonsense", 404),
        ("ada", "v1/content/none/deploy", 405),
        ("vic", "v1/audit_logs", 403),
        (None, "v1/user", 401),
    ],
)
async def test_head_is_get_without_its_body(world: World, who: str | None, path: str, status: int) -> None:
    http = world.client(who).http
    whole, head = await http.get(path), await http.request("HEAD", path)
    assert (whole.status_code, head.status_code) == (status, status)
    told = [{k: v for k, v in each.headers.items() if k not in DIFFERENT_EACH_TIME} for each in (whole, head)]
    assert told[0] == told[1]
    assert (whole.content != b"", head.content) == (True, b"")
