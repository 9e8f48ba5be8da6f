"""Every route that changes something, made to change it: who, what, before and after are then in the audit log.

The routes are taken from the server itself. A new one fails here until it has a case that succeeds, or a reason.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from api.test_authorisation import ALL, Operation, Scene, body_of, scene
from api.test_rehearsals import ended, judged
from api.test_tokens import TOKEN, claimed, public
from fastapi.routing import APIRoute
from support.api import World, bundle
from support.documents import document, rendered

from rostra.api.app import ROUTERS
from rostra.content import job_records
from rostra.content.tables import Integration, OAuthSession
from rostra.db.engine import transaction
from rostra.jobs.tables import Task

pytestmark = pytest.mark.anyio

NO_DIRECTORY = "there is no external directory, so it always refuses"
NOTHING = "it changes nothing"
REASONS = {
    ("PUT", "/v1/users"): NO_DIRECTORY,
    ("PUT", "/v1/groups"): NO_DIRECTORY,
    ("POST", "/v1/content/{guid}/access-test"): NOTHING,
    ("POST", "/v1/oauth/integrations/{guid}/verify"): NOTHING,
    ("POST", "/v1/oauth/integrations/credentials"): "content does it for each visit; what is given lasts minutes",
    ("POST", "/v1/rehearsals/{rehearsal_id}/notify"): "needs a mail server: tests/rehearsal/test_notify.py",
    ("PUT", "/v1/user/password"): "only from a browser: tests/api/test_own_password.py",
    ("POST", "/v1/bootstrap"): "only while there is nobody: tests/api/test_audit_logs.py",
    ("POST", "/v1/experimental/bootstrap"): "only while there is nobody: tests/api/test_audit_logs.py",
}
SAME = {  # older routes that are another way to do the same
    ("POST", "/applications/{guid}/upload"): "upload_bundle",
    ("POST", "/applications/{guid}/deploy"): "deploy_content",
}
URL = "https://git.example.org/team/project"
CHANGING = [one for one in ALL if one.method != "GET" and one.key not in REASONS]
NAMES = {
    (method, route.path): route.name
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
}


@dataclass
class Call:
    """How a case differs from the usual: whose request, which ids in the path, which body."""

    name: str | None = "root"
    ids: dict[str, str] = field(default_factory=dict)
    body: Any = None
    path: str = ""


Prepare = Callable[[Scene, str], Awaitable[Call]]
CASES: dict[tuple[str, str], Prepare] = {}


def case(*keys: str) -> Callable[[Prepare], Prepare]:
    def kept(prepare: Prepare) -> Prepare:
        CASES.update({(key.split()[0], key.split()[1]): prepare for key in keys})
        return prepare

    return kept


@case("POST /v1/users/{guid}/lock")
async def _lock(there: Scene, _path: str) -> Call:
    return Call(path=f"v1/users/{there.world.users['bob'].guid}/lock", body={"locked": True})


@case("DELETE /v1/system/checks/{run_id}")
async def _run(there: Scene, _path: str) -> Call:
    return Call(ids={"run_id": (await there.world.client("root").made("v1/system/checks", {}))["id"]})


@case("POST /v1/users/{guid}/keys")
async def _own_key(_there: Scene, _path: str) -> Call:
    return Call(name="ada")


@case("DELETE /v1/users/{guid}/keys/{key_id}", "DELETE /keys/{key_id}", "DELETE /v1/user/api_keys/{key_id}")
async def _key(there: Scene, _path: str) -> Call:
    made = await there.world.client("ada").made(f"v1/users/{there.world.users['ada'].guid}/keys", {"name": "k"})
    return Call(name="ada", ids={"key_id": made["id"]})


@case("DELETE /v1/content/{guid}/bundles/{bundle_id}")
async def _other_bundle(there: Scene, _path: str) -> Call:
    made = await there.world.client("ada").made(f"v1/content/{there.ids['guid']}/bundles", bundle())
    return Call(ids={"bundle_id": made["id"]})


@case("POST /applications/{guid}/environment")
async def _older_variables(there: Scene, _path: str) -> Call:
    now = await there.world.client("ada").read(f"applications/{there.ids['guid']}/environment")
    return Call(body={"version": now["version"], "values": {"A": "b"}})


@case("PUT /v1/content/{guid}/repository")
async def _new_repository(_there: Scene, _path: str) -> Call:
    return Call(body={"repository": URL})


@case(
    "PATCH /v1/content/{guid}/repository",
    "DELETE /v1/content/{guid}/repository",
    "POST /v1/content/{guid}/repository/bundle",
)
async def _repository(there: Scene, path: str) -> Call:
    item = await there.world.client("ada").made("v1/content", {})
    await there.world.client("ada").ask("PUT", f"v1/content/{item['guid']}/repository", {"repository": URL})
    return Call(ids={"guid": item["guid"]}, body={} if path.endswith("bundle") else {"branch": "next"})


@case("PUT /v1/content/{guid}/permissions/{permission_id}", "DELETE /v1/content/{guid}/permissions/{permission_id}")
async def _permission(there: Scene, _path: str) -> Call:
    given = {"principal_guid": there.world.users["bob"].guid, "principal_type": "user", "role": "viewer"}
    made = await there.world.client("ada").made(f"v1/content/{there.ids['guid']}/permissions", given)
    return Call(ids={"permission_id": made["id"]}, body={**given, "role": "owner"})


@case("PUT /v1/content/{guid}/vanity", "DELETE /v1/content/{guid}/vanity")
async def _vanity(there: Scene, _path: str) -> Call:
    path = f"v1/content/{there.ids['guid']}/vanity"
    await there.world.client("ada").ask("PUT", path, {"path": f"/v{there.item['id']}/"})
    return Call(body={"path": f"/w{there.item['id']}/"})


@case("DELETE /v1/content/{guid}/jobs/{key}")
async def _job(there: Scene, _path: str) -> Call:
    async with transaction(there.world.live.sessions) as session:
        now = there.world.clock.now()
        job = await job_records.begin(session, int(there.item["id"]), "run_fastapi_app", now, pid=1)
    return Call(ids={"key": job.key})


@case("POST /v1/rehearsals")
async def _to_rehearse(_there: Scene, _path: str) -> Call:
    return Call(body={"retire": "3.11"})


@case(
    "DELETE /v1/rehearsals/{rehearsal_id}",
    "POST /v1/rehearsals/{rehearsal_id}/resume",
    "POST /v1/rehearsals/{rehearsal_id}/rebuild",
)
async def _rehearsal(there: Scene, path: str) -> Call:
    made = await there.world.client("root").made("v1/rehearsals", {"retire": "3.11"})
    if path.endswith("resume"):
        await there.world.client("root").ask("DELETE", f"v1/rehearsals/{made['id']}")
        await ended(there.world)
    elif path.endswith("rebuild"):
        await judged(there.world, made["id"])
    return Call(ids={"rehearsal_id": made["id"]}, body={})


@case("DELETE /v1/groups/{guid}/members/{user_guid}")
async def _member(there: Scene, _path: str) -> Call:
    body = {"user_guid": there.world.users["vic"].guid}
    await there.world.client("ada").post(f"v1/groups/{there.ids['group']}/members", body)
    return Call()


@case("DELETE /v1/content/{guid}/tags/{tag_id}")
async def _tagged(there: Scene, _path: str) -> Call:
    await there.world.client("ada").post(f"v1/content/{there.ids['guid']}/tags", {"tag_id": there.ids["tag_id"]})
    return Call()


@case("DELETE /v1/content/{guid}/bookmark")
async def _bookmarked(there: Scene, _path: str) -> Call:
    await there.world.client("ada").post(f"v1/content/{there.ids['guid']}/bookmark")
    return Call(name="ada")


@case("DELETE /v1/content/{guid}/thumbnail", "DELETE /applications/{guid}/image")
async def _pictured(there: Scene, _path: str) -> Call:
    image = b"\x89PNG\r\n\x1a\n" + bytes(8)
    await there.world.client("ada").ask("PUT", f"v1/content/{there.ids['guid']}/thumbnail", image)
    return Call()


@case("DELETE /v1/oauth/sessions/{guid}")
async def _signed_in_elsewhere(there: Scene, _path: str) -> Call:
    now, guid = there.world.clock.now(), str(uuid.uuid4())
    async with transaction(there.world.live.sessions) as session:
        wanted = sa.select(Integration.id).where(Integration.guid == there.ids["integration"])
        number = (await session.execute(wanted)).scalar_one()
        row = {"guid": guid, "integration_id": number, "user_id": there.world.users["ada"].id, "tokens": "hush"}
        session.add(OAuthSession(**row, has_refresh=False, created_at=now, updated_at=now))
    return Call(name="ada", ids={"guid": guid, "integration": guid})


@case("DELETE /v1/environments/{guid}/permissions/{permission_guid}")
async def _environment_permission(there: Scene, _path: str) -> Call:
    body = {"user_guid": there.world.users["bob"].guid}
    made = await there.world.client("root").made(f"v1/environments/{there.ids['environment']}/permissions", body)
    return Call(ids={"permission_guid": made["guid"]})


@case("POST /tokens")
async def _pair(_there: Scene, _path: str) -> Call:
    return Call(name=None, body={"token": "T" + "9" * 32, "public_key": public(), "user_id": 0})


@case("DELETE /v1/users/{guid}/tokens/{token}")
async def _claimed(there: Scene, _path: str) -> Call:
    await claimed(there.world)
    return Call(name="ada", ids={"token": TOKEN})


CALENDAR = {"type": "day", "schedule": '{"N":1}', "start_time": "2026-09-01T09:00:00Z", "timezone": "UTC"}


@case(
    "POST /v1/content/{guid}/render",
    "POST /v1/content/{guid}/variants",
    "PATCH /v1/content/{guid}/variants/{key}",
    "DELETE /v1/content/{guid}/variants/{key}",
    "PUT /v1/content/{guid}/schedule",
    "DELETE /v1/content/{guid}/schedule",
    "POST /variants/{variant_id}",
    "POST /variants/{variant_id}/render",
    "POST /variants/{variant_id}/sender",
    "POST /variants/{variant_id}/subscribers",
    "DELETE /variants/{variant_id}/subscribers/{user_guid}",
    "POST /schedules",
    "POST /schedules/{schedule_id}",
    "DELETE /schedules/{schedule_id}",
)
async def _document(there: Scene, path: str) -> Call:
    ada, guid = there.world.client("ada"), (await document(there.world))["guid"]
    await rendered(there.world, guid)
    (variant,) = await ada.read(f"applications/{guid}/variants")
    other = await ada.made(f"v1/content/{guid}/variants", {"name": "East"})
    number, ids = str(variant["id"]), {"guid": guid, "variant_id": str(variant["id"]), "key": other["key"]}
    await ada.made(f"variants/{number}/subscribers", {"guid": there.world.users["vic"].guid})
    bodies = {
        "/v1/content/{guid}/variants": {"name": "West"},
        "/v1/content/{guid}/variants/{key}": {"name": "North"},
        "/v1/content/{guid}/schedule": CALENDAR,
        "/variants/{variant_id}": {"email_viewers": True},
        "/variants/{variant_id}/subscribers": {"guid": there.world.users["bob"].guid},
        "/schedules": {**CALENDAR, "variant_id": variant["id"]},
        "/schedules/{schedule_id}": {**CALENDAR, "type": "hour"},
    }
    if path in {
        "DELETE /v1/content/{guid}/schedule",
        "POST /schedules/{schedule_id}",
        "DELETE /schedules/{schedule_id}",
    }:
        made = await ada.made("schedules", {**CALENDAR, "variant_id": variant["id"]})
        ids["schedule_id"] = str(made["id"])
    return Call(name="ada", ids=ids, body=bodies.get(path.split()[1]))


@case(
    "PUT /v1/content/{guid}/failure-subscribers/{user_guid}",
    "DELETE /v1/content/{guid}/failure-subscribers/{user_guid}",
)
async def _hears(there: Scene, path: str) -> Call:
    if path.startswith("DELETE"):
        told = f"v1/content/{there.ids['guid']}/failure-subscribers/{there.ids['user_guid']}"
        await there.world.client("ada").ask("PUT", told)
    return Call(name="ada")


@case("POST /v1/tasks/send-test-email")
async def _letter(_there: Scene, _path: str) -> Call:
    return Call(body={"to": "a@example.org"})


@case("DELETE /v1/queue/{task_id}")
async def _waiting(there: Scene, _path: str) -> Call:
    ada, item = there.world.client("ada"), there.ids["guid"]
    return Call(ids={"task_id": (await ada.made(f"v1/content/{item}/deploy", {}))["task_id"]})


@case("DELETE /v1/system/service-tokens/{token_guid}")
async def _service_token(there: Scene, _path: str) -> Call:
    body = {"name": f"machine {there.item['id']}", "scopes": ["audit:read"]}
    return Call(ids={"token_guid": (await there.world.client("root").made("v1/system/service-tokens", body))["guid"]})


@case("DELETE /v1/system/documentation")
async def _documented(there: Scene, _path: str) -> Call:
    await there.world.client("root").post("v1/system/documentation", {"content": "# Welcome"})
    return Call()


async def _usual(_there: Scene, _path: str) -> Call:
    return Call()


def test_every_case_and_every_reason_is_of_a_route_there_is() -> None:
    assert {*CASES, *REASONS} <= {one.key for one in ALL}
    assert not CASES.keys() & REASONS.keys()


async def test_every_change_is_written_with_who_what_before_and_after(world: World) -> None:
    last = ("POST", "/v1/users/{guid}/lock")
    found = {" ".join(one.key): await _wrong(world, one) for one in sorted(CHANGING, key=lambda one: one.key == last)}
    wrong = [f"{key}: {what}" for key, what in found.items() if what]
    assert not wrong, "\n".join(wrong)


async def _wrong(world: World, operation: Operation) -> str:
    """Make the change; return what is wrong with its entry, or nothing."""
    async with transaction(world.live.sessions) as session:
        await session.execute(sa.delete(Task))  # what the cases before left waiting
    there = await scene(world)
    call = await CASES.get(operation.key, _usual)(there, " ".join(operation.key))
    there.ids |= call.ids
    body = body_of(there, operation) if call.body is None else call.body
    root = world.client("root")
    before = (await root.read("v1/audit_logs?limit=1"))["results"][0]["id"]
    answer = await world.client(call.name).ask(operation.method, call.path or there.path(operation), body)
    if not 200 <= answer.status_code < 300:
        return f"{answer.status_code} {answer.text[:200]}"
    (entry,) = (await root.read("v1/audit_logs?limit=1"))["results"]
    whole = await root.read(f"v1/audit_logs/{entry['id']}")
    who = None if call.name is None else world.users[call.name].guid
    facts = {
        "there is no entry": entry["id"] != before,
        f"the action is {entry['action']}": entry["action"] == SAME.get(operation.key, NAMES[operation.key]),
        f"it was {entry['user_description']}": entry["user_guid"] == who,
        "it says neither rows nor notes": bool(whole["rows"] or whole["notes"]),
        "a row was nothing and became nothing": all(row["before"] or row["after"] for row in whole["rows"]),
        "a secret is in it": "hush" not in json.dumps(whole),
    }
    return next((what for what, fine in facts.items() if not fine), "")
