"""Execution environments as clients record them. Rostra runs content in place; nothing here is ever started."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth import errors as auth_errors
from rostra.auth import groups, users
from rostra.content.names import storable
from rostra.content.tables import ImageEnvironment
from rostra.db.engine import alone
from rostra.errors import Conflict, Invalid, NotFound
from rostra.ids import new_guid

RUNTIMES = ("python", "quarto", "r", "tensorflow")
MATCHING = ("any", "exact", "none")
DEFAULT_CLUSTER = "Kubernetes"
LONGEST = 4096
MOST_MOUNTS = 100
VOLUMES: Mapping[str, tuple[str, ...]] = {"nfs": ("nfs_host", "nfs_export_path"), "pvc": ("pvc_name",)}
PRINCIPALS = ("user", "group")


class NoSuchEnvironment(NotFound):
    code = "no-such-execution-environment"

    def __init__(self, guid: str) -> None:
        super().__init__(f"there is no execution environment {guid[:80]!r}", hint="List them.")


class EnvironmentInvalid(Invalid):
    code = "execution-environment-name"
    number = 171

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"{name} of the execution environment {why}", hint="Correct it.")


class EnvironmentTitle(EnvironmentInvalid):
    code = "execution-environment-title"
    number = 168


class EnvironmentMatching(EnvironmentInvalid):
    code = "execution-environment-matching"
    number = 172


class EnvironmentInstallation(EnvironmentInvalid):
    code = "execution-environment-installation"
    number = 173


class EnvironmentTaken(Conflict):
    code = "execution-environment-taken"
    number = 175

    def __init__(self, name: str) -> None:
        super().__init__(f"there is an execution environment {name[:80]!r} already", hint="Change that one.")


class EnvironmentChanged(Conflict):
    """It was read before somebody else changed it."""

    code = "execution-environment-changed"
    number = 80

    def __init__(self) -> None:
        super().__init__("the execution environment was changed meanwhile", hint="Read it again and repeat.")


class EnvironmentVolume(EnvironmentInvalid):
    code = "execution-environment-volume"
    number = 254


class EnvironmentPermission(Invalid):
    code = "execution-environment-permission"
    number = 246

    def __init__(self) -> None:
        super().__init__(
            "the permission is not usable", hint="Send user_guid or group_guid, that of a person or a group there is."
        )


class EnvironmentPermissionTaken(Conflict):
    code = "execution-environment-permission-taken"
    number = 247

    def __init__(self) -> None:
        super().__init__("that permission was given already", hint="Nothing needs to be done.")


class NoSuchEnvironmentPermission(NotFound):
    code = "no-such-execution-environment-permission"

    def __init__(self, guid: str) -> None:
        super().__init__(f"there is no permission {guid[:80]!r} for that environment", hint="List them.")


async def listing(session: AsyncSession) -> Sequence[ImageEnvironment]:
    return (await session.execute(sa.select(ImageEnvironment).order_by(ImageEnvironment.id))).scalars().all()


async def get(session: AsyncSession, guid: str) -> ImageEnvironment:
    """Raises: NoSuchEnvironment."""
    wanted = sa.select(ImageEnvironment).where(ImageEnvironment.guid == guid.lower())
    found = (await session.execute(wanted)).scalar_one_or_none()
    if found is None:
        raise NoSuchEnvironment(guid)
    return found


async def create(session: AsyncSession, given: Mapping[str, Any], now: dt.datetime) -> ImageEnvironment:
    """Raises: EnvironmentInvalid, EnvironmentTaken."""
    name = _text(given.get("name"), "the name", EnvironmentInvalid)
    cluster = _text(given.get("cluster_name") or DEFAULT_CLUSTER, "the cluster", EnvironmentInvalid)
    fields = checked(given)
    await alone(session, "image-environments")
    same = sa.and_(ImageEnvironment.cluster_name == cluster, ImageEnvironment.name == name)
    if (await session.execute(sa.select(ImageEnvironment.id).where(same))).first() is not None:
        raise EnvironmentTaken(name)
    row = ImageEnvironment(
        guid=new_guid(), cluster_name=cluster, name=name, fields=fields, created_at=now, updated_at=now
    )
    session.add(row)
    await session.flush()
    return row


async def replace(session: AsyncSession, row: ImageEnvironment, given: Mapping[str, Any], now: dt.datetime) -> None:
    """Replace everything but name and cluster. Raises: EnvironmentInvalid."""
    row.fields = {**checked(given), "permissions": row.fields.get("permissions", [])}
    row.updated_at = now
    await session.flush()


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to keep.

    Raises:
        EnvironmentTitle, EnvironmentMatching, EnvironmentInstallation, EnvironmentVolume
    """
    matching = given.get("matching") or "any"
    if matching not in MATCHING:
        raise EnvironmentMatching("the matching", f"is one of {', '.join(MATCHING)}")
    return {
        "title": None if given.get("title") is None else _text(given["title"], "the title", EnvironmentTitle),
        "description": _optional(given.get("description"), "the description"),
        "matching": matching,
        "supervisor": _optional(given.get("supervisor"), "the supervisor"),
        **{name: _installations(given.get(name)) for name in RUNTIMES},
        "volume_mounts": _mounts(given.get("volume_mounts")),
    }


async def permit(session: AsyncSession, row: ImageEnvironment, user_guid: object, group_guid: object) -> dict[str, Any]:
    """Let a person or a group use it, exactly one of them, and return the permission.

    Raises:
        EnvironmentPermission, EnvironmentPermissionTaken
    """
    if (user_guid is None) == (group_guid is None):
        raise EnvironmentPermission
    whom: dict[str, str | None] = {"user_guid": None, "group_guid": None}
    try:
        if user_guid is not None:
            whom["user_guid"] = (await users.by_guid(session, _guid(user_guid))).guid
        else:
            whom["group_guid"] = (await groups.by_guid(session, _guid(group_guid))).guid
    except (auth_errors.NoSuchUser, groups.NoSuchGroup) as why:
        raise EnvironmentPermission from why
    await session.refresh(row, with_for_update=True)
    there = permissions(row)
    if any(all(one[name] == guid for name, guid in whom.items()) for one in there):
        raise EnvironmentPermissionTaken
    number = 1 + max((int(one["id"]) for one in there), default=0)
    made = {"id": str(number), "guid": new_guid(), **whom}
    row.fields = {**row.fields, "permissions": [*there, made]}
    return made


async def forbid(session: AsyncSession, row: ImageEnvironment, guid: str) -> None:
    """Take a permission away. Raises: NoSuchEnvironmentPermission."""
    await session.refresh(row, with_for_update=True)
    there = permissions(row)
    left = [one for one in there if one["guid"] != guid.lower()]
    if len(left) == len(there):
        raise NoSuchEnvironmentPermission(guid)
    row.fields = {**row.fields, "permissions": left}


def permissions(row: ImageEnvironment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = row.fields.get("permissions", [])
    return [_permission(number, one) for number, one in enumerate(found, 1)]


def _permission(number: int, one: dict[str, Any]) -> dict[str, Any]:
    """Return a permission as it is kept now; the first ones named a principal and its type."""
    if "principal_guid" not in one:
        return one
    whom = {f"{kind}_guid": one["principal_guid"] if one["principal_type"] == kind else None for kind in PRINCIPALS}
    return {"id": str(number), "guid": one["guid"], **whom}


def _guid(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not storable(value):
        raise EnvironmentPermission
    return value.lower()


def _text(value: object, what: str, refusal: type[EnvironmentInvalid]) -> str:
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= 255 or not storable(value):
        raise refusal(what, "is 1 to 255 characters")
    return value.strip()


def _optional(value: object, what: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > LONGEST or not storable(value):
        raise EnvironmentInvalid(what, f"is up to {LONGEST} characters")
    return value


def _installations(value: object) -> dict[str, Any] | None:
    if value is None:
        return None
    rows = value.get("installations") if isinstance(value, dict) else None
    if not isinstance(rows, list) or len(rows) > 100:
        raise EnvironmentInstallation("a runtime", "is {installations: [...]}")
    return {"installations": [_installation(row) for row in rows]}


def _installation(row: object) -> dict[str, str]:
    found = {name: row.get(name) for name in ("path", "version")} if isinstance(row, dict) else {}
    if not found or not all(isinstance(text, str) and 1 <= len(text) <= 1024 for text in found.values()):
        raise EnvironmentInstallation("an installation", "has a path and a version")
    return {name: str(text) for name, text in found.items()}


def _mounts(value: object) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_MOUNTS:
        raise EnvironmentVolume("the list of volume mounts", f"has up to {MOST_MOUNTS} entries")
    return [_mount(one) for one in value]


def _mount(value: object) -> dict[str, Any]:
    """Return one mount: what a volume is known by depends on its type."""
    source = value.get("source") if isinstance(value, dict) else None
    target = value.get("target") if isinstance(value, dict) else None
    if not isinstance(source, dict) or not isinstance(target, dict):
        raise EnvironmentVolume("a volume mount", "has a source and a target")
    kind, path, read_only = source.get("volume_type"), target.get("path"), target.get("read_only")
    if not isinstance(kind, str) or kind not in VOLUMES:
        raise EnvironmentVolume("the type of a volume", f"is one of {', '.join(VOLUMES)}")
    named = {name: source.get(name) for name in VOLUMES[kind]}
    if not all(_short(text) for text in (path, *named.values())):
        raise EnvironmentVolume("a volume mount", f"has {', '.join(named)} and a target's path")
    if not isinstance(read_only, bool | None):
        raise EnvironmentVolume("read_only", "is true or false")
    every = {name: named.get(name) for names in VOLUMES.values() for name in names}
    return {"source": {"volume_type": kind, **every}, "target": {"path": path, "read_only": bool(read_only)}}


def _short(text: object) -> bool:
    return isinstance(text, str) and 1 <= len(text) <= 1024 and storable(text)
