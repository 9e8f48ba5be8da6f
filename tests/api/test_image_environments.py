"""Execution environments: records that clients look after, with mounts, and who may use them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from support.api import World

from rostra.content.tables import ImageEnvironment
from rostra.db.engine import transaction

pytestmark = pytest.mark.anyio

NFS = {"source": {"volume_type": "nfs", "nfs_host": "nas", "nfs_export_path": "/x"}, "target": {"path": "/mnt"}}
PVC = {"source": {"volume_type": "pvc", "pvc_name": "claim"}, "target": {"path": "/mnt", "read_only": True}}


async def environment(world: World, **fields: Any) -> Any:
    return await world.client("root").made("v1/environments", {"name": "image:1", **fields})


async def group(world: World) -> str:
    return str((await world.client("root").made("v1/groups", {"name": "analysts"}))["guid"])


async def test_an_image_alone_makes_one(world: World) -> None:
    made = await environment(world)
    nothing = ("title", "description", "supervisor", "managed_by", "python", "quarto", "r", "tensorflow")
    assert [made[name] for name in nothing] == [None] * len(nothing)
    assert (made["matching"], made["cluster_name"], made["volume_mounts"]) == ("any", "Kubernetes", [])
    path = f"v1/environments/{made['guid']}"
    assert list((await world.client("root").read(path)).items()) == list(made.items())


async def test_mounts_are_kept_with_every_field_and_replaced(world: World) -> None:
    made = await environment(world, volume_mounts=[NFS, PVC])
    assert made["volume_mounts"] == [
        {"source": {**NFS["source"], "pvc_name": None}, "target": {"path": "/mnt", "read_only": False}},
        {"source": {"nfs_host": None, "nfs_export_path": None, **PVC["source"]}, "target": PVC["target"]},
    ]
    root, path = world.client("root"), f"v1/environments/{made['guid']}"
    same = (await root.ask("PUT", path, made)).json()
    assert same["volume_mounts"] == made["volume_mounts"]
    assert (await root.ask("PUT", path, {"title": "bare"})).json()["volume_mounts"] == []


@pytest.mark.parametrize(
    "mount",
    [
        "text",
        {},
        {"source": {"volume_type": "pvc", "pvc_name": "claim"}},
        {"source": {"volume_type": "host"}, "target": {"path": "/mnt"}},
        {"source": {"volume_type": ["nfs"]}, "target": {"path": "/mnt"}},
        {"source": {"volume_type": "nfs", "nfs_host": "nas"}, "target": {"path": "/mnt"}},
        {"source": PVC["source"], "target": {"path": ""}},
        {"source": PVC["source"], "target": {"path": "/mnt", "read_only": "yes"}},
        {"source": {"volume_type": "pvc", "pvc_name": "x" * 1025}, "target": {"path": "/mnt"}},
    ],
)
async def test_a_mount_that_is_none_is_refused(world: World, mount: Any) -> None:
    answer = await world.client("root").post("v1/environments", {"name": "image:1", "volume_mounts": [mount]})
    assert (answer.status_code, answer.json()["code"]) == (400, 254)


async def test_people_and_groups_are_let_in_and_taken_out(world: World) -> None:
    root, made = world.client("root"), await environment(world)
    path = f"v1/environments/{made['guid']}/permissions"
    assert await root.read(path) == []
    bob, analysts = world.users["bob"].guid, await group(world)
    person = await root.made(path, {"user_guid": bob})
    several = await root.made(path, {"group_guid": analysts})
    assert (person["user_guid"], person["group_guid"]) == (bob, None)
    assert (several["user_guid"], several["group_guid"]) == (None, analysts)
    assert person["environment_guid"] == made["guid"]
    assert await root.read(path) == [person, several]
    assert (await root.ask("DELETE", f"{path}/{person['guid']}")).status_code == 204
    assert await root.read(path) == [several]
    assert (await root.ask("DELETE", f"{path}/{person['guid']}")).status_code == 404
    await root.ask("PUT", f"v1/environments/{made['guid']}", {**made, "title": "other"})
    assert await root.read(path) == [several], "what is changed keeps its permissions"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"user_guid": None, "group_guid": None},
        {"user_guid": "nobody"},
        {"group_guid": "nobody"},
        {"user_guid": 7},
        {"user_guid": "\x00"},
    ],
)
async def test_a_permission_of_nobody_is_refused(world: World, body: Any) -> None:
    made = await environment(world)
    answer = await world.client("root").post(f"v1/environments/{made['guid']}/permissions", body)
    assert (answer.status_code, answer.json()["code"]) == (400, 246)


async def test_a_permission_of_two_is_refused(world: World) -> None:
    made = await environment(world)
    body = {"user_guid": world.users["bob"].guid, "group_guid": await group(world)}
    answer = await world.client("root").post(f"v1/environments/{made['guid']}/permissions", body)
    assert (answer.status_code, answer.json()["code"]) == (400, 246)


async def test_a_permission_is_given_once(world: World) -> None:
    root, made = world.client("root"), await environment(world)
    path, body = f"v1/environments/{made['guid']}/permissions", {"user_guid": world.users["bob"].guid}
    first = await root.made(path, body)
    again = await root.post(path, body)
    assert (again.status_code, again.json()["code"]) == (409, 247)
    assert await root.read(path) == [first]


async def test_what_was_kept_before_reads_the_same(world: World) -> None:
    """Records of earlier releases name a principal and its type, and know no mounts."""
    made, bob = await environment(world), world.users["bob"].guid
    async with transaction(world.live.sessions) as session:
        row = (await session.execute(sa.select(ImageEnvironment))).scalar_one()
        kept = {name: value for name, value in row.fields.items() if name != "volume_mounts"}
        old = {"guid": made["guid"], "principal_guid": bob, "principal_type": "user"}
        row.fields = {**kept, "permissions": [old]}
    root, path = world.client("root"), f"v1/environments/{made['guid']}"
    assert await root.read(path) == made
    (given,) = await root.read(f"{path}/permissions")
    assert (given["user_guid"], given["group_guid"]) == (bob, None)
    assert (await root.ask("DELETE", f"{path}/permissions/{given['guid']}")).status_code == 204
