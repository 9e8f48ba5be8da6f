"""What of other people somebody is shown: two settings may narrow it, and every list of people asks here.

Whose content somebody is shown is always said (a name, never an address): clients look the owner up, and who is shown
something should know whom to ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends

from rostra.api.edge import Known, Live
from rostra.auth.errors import NoSuchUser
from rostra.auth.groups import NoSuchGroup
from rostra.auth.principals import Principal
from rostra.auth.tables import Group, Membership, User
from rostra.config.sections import Settings


@dataclass(frozen=True, slots=True)
class Sight:
    """``others``: whether they may know who else is here. ``emails``: whether they see other people's addresses."""

    who: Principal
    others: bool
    emails: bool

    def email(self, user: User) -> str:
        return user.email if self.emails or user.id == self.who.user_id else ""

    def check_user(self, user: User) -> User:
        """Raises: NoSuchUser, for somebody they may not know of."""
        if not self.knows(user.id):
            raise NoSuchUser(user.guid)
        return user

    def knows(self, user_id: int) -> bool:
        return self.others or user_id == self.who.user_id

    @property
    def only(self) -> int | None:
        """The one account they may know of; None: all."""
        return None if self.others else self.who.user_id

    def groups(self) -> sa.ColumnElement[bool]:
        """Return the filter for queries on `Group`: all, or those they are in themselves."""
        mine = sa.select(Membership.group_id).where(Membership.user_id == self.who.user_id)
        return sa.true() if self.others else Group.id.in_(mine)

    def check_group(self, group: Group, member: bool) -> Group:
        """Raises: NoSuchGroup, for one they may not know of."""
        if not self.others and not member:
            raise NoSuchGroup(group.guid)
        return group


def sight(who: Principal, settings: Settings) -> Sight:
    """Decide what this person is shown. A key that is capped to a viewer's sees what a viewer does."""
    return Sight(
        who,
        others=who.may_publish or not settings.authorization.viewers_can_only_see_themselves,
        emails=who.is_administrator or not settings.server.hide_email_addresses,
    )


def _sight(who: Known, live: Live) -> Sight:
    return sight(who, live.settings())


Shown = Annotated[Sight, Depends(_sight)]
