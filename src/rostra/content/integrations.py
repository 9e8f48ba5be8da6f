"""OAuth integrations and the content they are associated with.

The template ``connect`` gives content a short-lived API key of its visitor. With every other template content gets an
access token of the provider whose addresses the configuration names: a visitor's own (Viewer), or that of the
integration's account (Service Account). What only a vendor's own protocol can do (AWS) is a record.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from rostra.auth import errors as auth_errors
from rostra.auth import groups, users
from rostra.auth.principals import Principal, Role
from rostra.auth.tables import Group, Membership
from rostra.content.names import storable
from rostra.content.tables import Association, Integration, Item
from rostra.content.variables import Box
from rostra.errors import Invalid, NotFound
from rostra.ids import new_guid

VIEWER, SERVICE, VISITOR_KEY = "Viewer", "Service Account", "Visitor API Key"
MAX_ROLES = {"Viewer": Role.viewer, "Publisher": Role.publisher, "Admin": Role.administrator}
CONNECT = "connect"
VENDORS_ONLY = frozenset({"aws"})  # templates whose provider is spoken to in a way of its own
_SECRETS = frozenset({"client_secret", "private_key", "secret_access_key", "access_key", "password", "secret"})
_LONGEST = 100_000  # characters of a whole configuration
MOST_PERMISSIONS = 1000


@dataclass(frozen=True, slots=True)
class Template:
    """A sort of integration. ``fields`` are the names its configuration is made of."""

    id: str
    name: str
    auth_type: str
    fields: tuple[str, ...]

    @property
    def description(self) -> str:
        """What content gets through it, in a sentence."""
        if self.id == CONNECT:
            return "An API key of this server that acts for the visitor and ends by itself."
        if self.id in VENDORS_ONLY:
            return f"A record of how {self.name} is reached; this server asks it for nothing."
        return f"An access token of {self.name}: each visitor's own, or that of an account of the integration."


_OAUTH = ("auth_mode", "auth_type", "client_id", "client_secret", "authorization_uri", "token_uri", "scopes")
_AUTH_TYPES = (VIEWER, SERVICE)
TEMPLATES: Mapping[str, Template] = {
    template.id: template
    for template in (
        Template(CONNECT, "Visitor API key", VISITOR_KEY, ("max_role",)),
        Template("custom", "Custom", VIEWER, (*_OAUTH, "token_endpoint_auth_method", "use_pkce")),
        *(
            Template(name, name.capitalize(), VIEWER, _OAUTH)
            for name in ("azure", "github", "google", "snowflake", "databricks", "salesforce")
        ),
        Template("aws", "AWS", SERVICE, ("role_arn", "region", "auth_mode")),
    )
}


class NoSuchIntegration(NotFound):
    code = "no-such-integration"

    def __init__(self, guid: object) -> None:
        super().__init__(f"there is no integration {str(guid)[:80]!r}", hint="List the integrations.")


class UnknownTemplate(Invalid):
    code = "unknown-template"
    number = 227

    def __init__(self, name: object) -> None:
        super().__init__(
            f"there is no integration template {str(name)[:80]!r}", hint=f"Use one of {', '.join(TEMPLATES)}."
        )


class TemplateChanged(Invalid):
    code = "template-changed"
    number = 229

    def __init__(self) -> None:
        super().__init__("the template of an integration stays what it is", hint="Make another integration.")


class BadConfiguration(Invalid):
    code = "integration-config"
    number = 228

    def __init__(self, why: str) -> None:
        super().__init__(f"the integration's configuration is not usable: {why}", hint="Correct it.")


class NotForVisitors(Invalid):
    """One signs in only where each visitor has an account of their own."""

    code = "integration-not-for-visitors"
    number = 237

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} has an account of its own; visitors do not sign in to it", hint="Nothing is to be done."
        )


class BadIntegrationName(Invalid):
    code = "integration-name"
    number = 225

    def __init__(self) -> None:
        super().__init__("an integration needs a name of 1 to 255 characters", hint="Give it one.")


class BadIntegrationPermissions(Invalid):
    code = "integration-permissions"
    number = 261

    def __init__(self) -> None:
        super().__init__(
            "the permissions of an integration are not usable",
            hint="Send a list of user_guid or group_guid, those of people and groups there are.",
        )


class BadAssociation(Invalid):
    code = "bad-association"
    number = 208

    def __init__(self, why: str) -> None:
        super().__init__(f"the associations are not usable: {why}", hint="Send a list of oauth_integration_guid.")


async def listing(session: AsyncSession, who: Principal) -> Sequence[Integration]:
    """Return those a person may use, oldest first."""
    every = (await session.execute(sa.select(Integration).order_by(Integration.id))).scalars().all()
    mine = await _names_of(session, who)
    return [row for row in every if _usable(row, who, mine)]


async def get_usable(session: AsyncSession, who: Principal, guid: str) -> Integration:
    """Raises: NoSuchIntegration, also for one that only others may use."""
    row = await get(session, guid)
    if not _usable(row, who, await _names_of(session, who)):
        raise NoSuchIntegration(guid)
    return row


def _usable(row: Integration, who: Principal, mine: frozenset[str]) -> bool:
    """Return whether they may see it and give it to content of theirs: everybody, when nobody is named."""
    named = {one["user_guid"] or one["group_guid"] for one in row.permissions}
    return who.is_administrator or not named or not named.isdisjoint(mine)


async def _names_of(session: AsyncSession, who: Principal) -> frozenset[str]:
    """Return the guids permissions name somebody by: their own and their groups'."""
    joined = sa.select(Group.guid).join(Membership, Membership.group_id == Group.id)
    wanted = joined.where(Membership.user_id == who.user_id)
    return frozenset({who.guid, *(await session.execute(wanted)).scalars()})


async def get(session: AsyncSession, guid: str) -> Integration:
    """Raises: NoSuchIntegration."""
    wanted = sa.select(Integration).where(Integration.guid == guid.lower())
    found = (await session.execute(wanted)).scalar_one_or_none()
    if found is None:
        raise NoSuchIntegration(guid)
    return found


async def create(session: AsyncSession, box: Box, given: Mapping[str, Any], now: dt.datetime) -> Integration:
    """Raises: UnknownTemplate, BadConfiguration, BadIntegrationName, BadIntegrationPermissions."""
    name = given.get("template")
    template = TEMPLATES.get(name) if isinstance(name, str) else None
    if template is None:
        raise UnknownTemplate(name)
    row = Integration(
        guid=new_guid(),
        name=template.name if given.get("name") is None else _name(given["name"]),
        description=_description(given.get("description")),
        template=template.id,
        auth_type=_auth_type(template, given),
        permissions=await _permissions(session, given.get("permissions") or []),
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    _configure(row, box, _config(template, given.get("config") or {}))
    await session.flush()
    return row


async def change(session: AsyncSession, box: Box, row: Integration, given: Mapping[str, Any], now: dt.datetime) -> None:
    """Change what is given; of the configuration, the fields that are given.

    Raises:
        TemplateChanged, BadConfiguration, BadIntegrationName, BadIntegrationPermissions
    """
    if given.get("template") not in (None, row.template):
        raise TemplateChanged
    if given.get("name") is not None:
        row.name = _name(given["name"])
    if given.get("description") is not None:
        row.description = _description(given["description"])
    if given.get("config") is not None:
        kept = {} if row.secrets is None else json.loads(box.open(0, row.guid, row.secrets))
        new = _config(TEMPLATES[row.template], given["config"], partial=True)
        if new.get("auth_type", row.auth_type) != row.auth_type:
            raise BadConfiguration("auth_type stays what it is; make another integration")
        _configure(row, box, {**row.config, **kept, **new})
    if given.get("permissions") is not None:
        row.permissions = await _permissions(session, given["permissions"])
    row.updated_at = now
    await session.flush()


async def _permissions(session: AsyncSession, given: object) -> list[dict[str, str | None]]:
    """Return who may use it, each once. The guid of a group that goes later stays: it lets nobody else in."""
    if not isinstance(given, list) or len(given) > MOST_PERMISSIONS:
        raise BadIntegrationPermissions
    found: list[dict[str, str | None]] = []
    for one in given:
        permission = await _permission(session, one)
        found += [] if permission in found else [permission]
    return found


async def _permission(session: AsyncSession, one: object) -> dict[str, str | None]:
    user, group = (one.get("user_guid"), one.get("group_guid")) if isinstance(one, dict) else (None, None)
    guid = group if user is None else user
    if (user is None) == (group is None) or not isinstance(guid, str) or not storable(guid):
        raise BadIntegrationPermissions
    try:
        if user is not None:
            return {"user_guid": (await users.by_guid(session, guid.lower())).guid, "group_guid": None}
        return {"user_guid": None, "group_guid": (await groups.by_guid(session, guid)).guid}
    except (auth_errors.NoSuchUser, groups.NoSuchGroup) as why:
        raise BadIntegrationPermissions from why


def _auth_type(template: Template, given: Mapping[str, Any]) -> str:
    """Return whose account is used, as clients say it: beside the configuration or in it."""
    config = given.get("config")
    inside = config.get("auth_type") if isinstance(config, dict) else None
    wanted = inside or given.get("auth_type")
    if wanted in (None, "", template.auth_type):
        return template.auth_type
    if template.auth_type != VIEWER or wanted not in _AUTH_TYPES:
        raise BadConfiguration(f"auth_type is one of {', '.join(_AUTH_TYPES)}, and fixed for some templates")
    return str(wanted)


def _configure(row: Integration, box: Box, config: Mapping[str, Any]) -> None:
    secrets = {name: value for name, value in config.items() if name in _SECRETS}
    row.config = {name: value for name, value in config.items() if name not in _SECRETS}
    row.secrets = box.close(0, row.guid, json.dumps(secrets)) if secrets else None


def _config(template: Template, config: object, *, partial: bool = False) -> dict[str, Any]:
    if not isinstance(config, dict) or len(json.dumps(config, default=str)) > _LONGEST:
        raise BadConfiguration("it is no object of a reasonable size")
    if template.id == CONNECT and not (partial and "max_role" not in config):
        if config.get("max_role", "Viewer") not in MAX_ROLES:
            raise BadConfiguration(f"max_role is one of {', '.join(MAX_ROLES)}")
        return {**config, "max_role": config.get("max_role", "Viewer")}
    return dict(config)


def _name(name: object) -> str:
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= 255 or not storable(name):
        raise BadIntegrationName
    return name.strip()


def _description(text: object) -> str:
    if text is None:
        return ""
    if not isinstance(text, str) or len(text) > 4096 or not storable(text):
        raise BadConfiguration("the description is text of up to 4096 characters")
    return text


@dataclass(frozen=True, slots=True)
class Associated:
    """That content may use an integration, and since when."""

    item_guid: str
    integration: Integration
    created_at: dt.datetime


def _associated() -> sa.Select[str, Integration, dt.datetime]:
    wanted = sa.select(Item.guid, Integration, Association.created_at).select_from(Association)
    wanted = wanted.join(Item, Item.id == Association.item_id)
    joined = wanted.join(Integration, Integration.id == Association.integration_id)
    return joined.where(Item.deleted_at.is_(None)).order_by(Integration.id, Item.id)


async def of_item(session: AsyncSession, item: Item) -> list[Associated]:
    rows = await session.execute(_associated().where(Item.id == item.id))
    return [Associated(guid, integration, at) for guid, integration, at in rows]


async def of_integration(session: AsyncSession, row: Integration, visible: sa.ColumnElement[bool]) -> list[Associated]:
    """Return what uses an integration, of the items that fulfil ``visible``."""
    rows = await session.execute(_associated().where(Integration.id == row.id, visible))
    return [Associated(guid, integration, at) for guid, integration, at in rows]


async def associate(
    session: AsyncSession, who: Principal, item: Item, guids: Sequence[object], now: dt.datetime
) -> None:
    """Let the item use these integrations and no others; those it could use before keep their time.

    Raises:
        BadAssociation: one is named twice, there is none of that guid, or the caller may not use a new one.
    """
    if len(set(map(str, guids))) < len(guids):
        raise BadAssociation("one is named twice")
    there = (await session.execute(sa.select(Association).where(Association.item_id == item.id))).scalars().all()
    had, mine = {old.integration_id for old in there}, await _names_of(session, who)
    wanted = set()
    for guid in guids:
        try:
            row = await get(session, str(guid))
        except NoSuchIntegration as why:
            raise BadAssociation(why.message) from why
        if row.id not in had and not _usable(row, who, mine):
            raise BadAssociation(NoSuchIntegration(guid).message)
        wanted.add(row.id)
    for old in there:
        if old.integration_id not in wanted:
            await session.delete(old)
    for number in sorted(wanted - had):
        session.add(Association(item_id=item.id, integration_id=number, created_at=now))
    await session.flush()
