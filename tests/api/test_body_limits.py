"""Every route that takes a body bounds it: found by asking each, so that a new one cannot forget."""

from __future__ import annotations

import pytest
from api.test_authorisation import ALL, Operation, scene
from support.api import World

from rostra.api import bodies

pytestmark = pytest.mark.anyio
STREAMED = ("/bundles", "/upload", "/thumbnail", "/image")  # archives and pictures have limits of their own
UNREAD = {("POST", "/v1/system/checks"), ("POST", "/v1/content/{guid}/restart")}  # they take none; it is drained
TAKING = [
    one
    for one in ALL
    if one.method in {"POST", "PUT", "PATCH"} and not one.path.endswith(STREAMED) and one.key not in UNREAD
]


async def test_a_body_that_is_too_large_is_never_taken(world: World) -> None:
    there = await scene(world)
    body = b'{"name": "' + b"x" * bodies.LONGEST_JSON + b'"}'

    async def wrong(operation: Operation) -> str:
        answer = await world.client("root").ask(operation.method, there.path(operation), body)
        fine = answer.status_code == 413 or (answer.status_code in {400, 403, 404, 409} and "code" in answer.json())
        return "" if fine else f"{operation.method} {operation.path}: {answer.status_code} {answer.text[:120]}"

    found = [said for one in TAKING if (said := await wrong(one))]
    assert not found, "\n".join(found)
