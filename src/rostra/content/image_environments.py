"""Execution environments as clients record them. Rostra runs content in place; nothing here is ever started."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.content.names import storable
from rostra.content.tables import ImageEnvironment
from rostra.db.engine import alone
from rostra.errors import Conflict, Invalid, NotFound
from rostra.ids import new_guid

RUNTIMES = ("python", "quarto", "r", "tensorflow")
MATCHING = ("any", "exact", "none")
DEFAULT_CLUSTER = "Kubernetes"
LONGEST = 4096


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


class EnvironmentPermission(Invalid):
    code = "execution-environment-permission"
    number = 246

    def __init__(self) -> None:
        super().__init__("the permission is not usable", hint="Send principal_guid and principal_type user or group.")


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
        EnvironmentTitle, EnvironmentMatching, EnvironmentInstallation
    """
    matching = given.get("matching") or "any"
    if matching not in MATCHING:
        raise EnvironmentMatching("the matching", f"is one of {', '.join(MATCHING)}")
    return {
        "title": _text(given.get("title"), "the title", EnvironmentTitle),
        "description": _optional(given.get("description"), "the description"),
        "matching": matching,
        "supervisor": _optional(given.get("supervisor"), "the supervisor"),
        **{name: _installations(given.get(name)) for name in RUNTIMES},
    }


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
