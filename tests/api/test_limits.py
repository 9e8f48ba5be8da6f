"""Each limit the description tells of a body is one that is enforced: what does not fit is refused as bad.

The operations, and bodies that fit, are those of the authorisation tests: a new operation needs one there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from api.test_authorisation import ALL, Operation, Scene, body_of, scene
from support import documented
from support.api import World

from rostra.api.answers import JSON

pytestmark = pytest.mark.anyio

# Bodies of operations on things the scene has not got, or that only a client of another kind sends; by hand elsewhere.
NOT_HERE = {
    ("PUT", "/v1/users"): "every ticket is refused",
    ("PUT", "/v1/groups"): "every ticket is refused",
    ("POST", "/tokens"): "signed requests: test_tokens",
    ("PUT", "/v1/user/password"): "a browser's session: test_own_password",
}


def described(operation: Operation) -> dict[str, Any]:
    """Return the schema of each field of an operation's body."""
    methods = documented.document()["paths"].get(operation.path, {})
    content = methods.get(operation.method.lower(), {}).get("requestBody", {}).get("content", {})
    schema = _there(content.get(JSON, {}).get("schema", {}))
    properties: dict[str, Any] = schema.get("properties", {})
    return properties


def _there(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return documented.document()["components"]["schemas"][name] if name else schema


def misfits(schema: dict[str, Any]) -> Iterator[Any]:
    """Yield values a field may not have, each just past one of its limits."""
    alternatives = [schema, *schema.get("anyOf", ())]
    found: list[Any] = []
    for one in alternatives:
        found += ["x" * (one["maxLength"] + 1)] if one.get("maxLength", 10**9) < 1_000_000 else []
        found += [one["minimum"] - 1] if "minimum" in one else []
        found += [one["maximum"] + 1] if "maximum" in one else []
        found += [""] if one.get("minLength") else []
        found += ["none of them"] if "enum" in one else []
        found += ["!? ,"] if "pattern" in one else []
        found += ["perhaps"] if one.get("type") == "boolean" else []
    fitting = jsonschema_rs.Draft202012Validator({**schema, "components": documented.document()["components"]})
    yield from (value for value in found if not fitting.is_valid(value))


LIMITED = [
    operation
    for operation in ALL
    if operation.key not in NOT_HERE and any(list(misfits(one)) for one in described(operation).values())
]


# Refused before the body is looked at, because of what the scene has not got; the same body is judged elsewhere.
SAME_BODY = {
    ("PATCH", "/v1/content/{guid}/repository"): ("PUT", "/v1/content/{guid}/repository"),
    ("PUT", "/v1/content/{guid}/permissions/{permission_id}"): ("POST", "/v1/content/{guid}/permissions"),
    ("PATCH", "/v1/content/{guid}/variants/{key}"): ("POST", "/v1/content/{guid}/variants"),
    ("POST", "/variants/{variant_id}"): ("POST", "/v1/content/{guid}/variants"),
}
# Its checks are those of a repository and of a schedule, which have tests of their own: tests/content, tests/rendering.
OTHERWISE = {
    ("POST", "/v1/content/{guid}/repository/bundle"),
    ("PUT", "/v1/content/{guid}/schedule"),
    ("POST", "/schedules/{schedule_id}"),
}
NAMES_OTHERS = {"principal_guid", "tag_id"}  # there is nobody and nothing of such a name


async def _status(made: Scene, operation: Operation, body: Any) -> int:
    who = "ada" if operation.path == "/v1/users/{guid}/keys" else "root"
    answer = await made.world.client(who).ask(operation.method, made.path(operation), body)
    return int(answer.status_code)


def test_bodies_that_are_not_judged_are_the_same_as_one_that_is() -> None:
    judged = {operation.key for operation in LIMITED} - SAME_BODY.keys() - OTHERWISE
    there = {operation.key: described(operation) for operation in ALL}
    for one, other in SAME_BODY.items():
        assert other in judged
        assert there[one] == there[other]


async def test_what_is_past_a_described_limit_is_refused(world: World) -> None:
    judged = [operation for operation in LIMITED if operation.key not in SAME_BODY.keys() | OTHERWISE]
    assert len(judged) > 20
    made, wrong = await scene(world), []
    for operation in judged:
        base = body_of(made, operation)
        for name, schema in described(operation).items():
            for value in misfits(schema):
                status = await _status(made, operation, {**base, name: value})
                if status != 400 and not (status == 404 and name in NAMES_OTHERS):
                    wrong.append(f"{operation.method} {operation.path} {name}={str(value)[:30]!r}: {status}")
    assert not wrong, "\n".join(wrong)
