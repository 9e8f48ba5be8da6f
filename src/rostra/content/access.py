"""Who may see or change an item. Pure, except for the one filter every list is made with.

An administrator looks after every item's configuration but does not see what it shows unless it is shown to them; to
see it they give themselves a permission, which is then visible to its owner.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from rostra.auth.principals import Principal
from rostra.auth.tables import Membership
from rostra.content.tables import Item, Permission
from rostra.errors import Forbidden, NotSignedIn


class Access(StrEnum):
    """To whom an item shows itself."""

    all = "all"  # everybody, signed in or not
    logged_in = "logged_in"
    acl = "acl"  # its owner and whoever was given a permission


class Grant(StrEnum):
    """What a permission gives. ``owner`` is the wire's word for a collaborator."""

    viewer = "viewer"
    owner = "owner"


class AppRole(StrEnum):
    """What somebody is to an item, in the wire's words."""

    owner = "owner"
    editor = "editor"
    viewer = "viewer"
    none = "none"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision about one item and one person depends on.

    ``grant`` is the stronger of that person's own and their groups'.
    """

    access: Access
    owner_id: int
    grant: Grant | None = None


def may_view(who: Principal | None, facts: Facts) -> bool:
    """Return whether the content itself is shown to them."""
    if facts.access is Access.all:
        return True
    if who is None:
        return False
    return facts.access is Access.logged_in or who.user_id == facts.owner_id or facts.grant is not None


def app_role(who: Principal | None, facts: Facts) -> AppRole:
    """Return what they are to the item. Somebody whose role (or key) is a viewer's is never more than a viewer."""
    if who is not None and who.may_publish:
        if who.user_id == facts.owner_id:
            return AppRole.owner
        if facts.grant is Grant.owner:
            return AppRole.editor
    return AppRole.viewer if may_view(who, facts) else AppRole.none


def may_edit(who: Principal | None, facts: Facts) -> bool:
    """Return whether they may change it: settings, bundles, deploys, variables, permissions, deletion."""
    if who is None:
        return False
    return who.is_administrator or app_role(who, facts) in (AppRole.owner, AppRole.editor)


def may_know(who: Principal | None, facts: Facts) -> bool:
    """Return whether the item exists for them in lists and in the API: they may view it, or look after it."""
    return may_view(who, facts) or may_edit(who, facts)


def may_transfer(who: Principal | None, facts: Facts) -> bool:
    """Return whether they may give it to another owner: a collaborator may not."""
    return who is not None and (who.is_administrator or app_role(who, facts) is AppRole.owner)


def require(allowed: bool, who: Principal | None) -> None:
    """Raise unless ``allowed``.

    Raises:
        NotSignedIn: nobody asked; signing in may help.
        Forbidden: somebody did, and it does not help.
    """
    if allowed:
        return
    if who is None:
        raise NotSignedIn("this content is not public", hint="Sign in, or send an API key.")
    raise Forbidden(
        f"{who.username} may not do this to this content", hint="Ask its owner or an administrator for a permission."
    )


def shown_to(who: Principal) -> sa.ColumnElement[bool]:
    """Return the filter of `may_view` for queries on `Item`, for somebody who is signed in."""
    granted = sa.select(Permission.id).where(Permission.item_id == Item.id, given_to(who.user_id)).correlate(Item)
    open_to_all = Item.access_type.in_([Access.all, Access.logged_in])
    return sa.and_(Item.deleted_at.is_(None), sa.or_(open_to_all, Item.owner_id == who.user_id, granted.exists()))


def visible_to(who: Principal | None) -> sa.ColumnElement[bool]:
    """Return the filter of `may_know` for queries on `Item`; deleted items are never in it.

    No other code may decide which items somebody sees in a list.
    """
    present = Item.deleted_at.is_(None)
    if who is None:
        return sa.and_(present, Item.access_type == Access.all)
    if who.is_administrator:
        return present
    return shown_to(who)


def changeable_by(who: Principal) -> sa.ColumnElement[bool]:
    """Return the filter of `may_edit` for queries on `Item`; deleted items are never in it."""
    present = Item.deleted_at.is_(None)
    if who.is_administrator:
        return present
    if not who.may_publish:
        return sa.false()
    granted = sa.select(Permission.id).where(Permission.item_id == Item.id, Permission.role == Grant.owner)
    granted = granted.where(given_to(who.user_id)).correlate(Item)
    return sa.and_(present, sa.or_(Item.owner_id == who.user_id, granted.exists()))


def given_to(user_id: int) -> sa.ColumnElement[bool]:
    """Return the filter for queries on `Permission` of what a person was given, themselves or with a group."""
    mine = sa.select(Membership.group_id).where(Membership.user_id == user_id)
    return sa.or_(Permission.user_id == user_id, Permission.group_id.in_(mine))


def strongest(roles: Iterable[str]) -> Grant | None:
    """Return what several permissions give together."""
    found = {Grant(role) for role in roles}
    return Grant.owner if Grant.owner in found else next(iter(found), None)
