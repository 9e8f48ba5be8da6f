"""What can be wrong with accounts, and with signing in to them by password."""

from __future__ import annotations

from collections.abc import Iterable

from rostra.auth.passwords import LONGEST
from rostra.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn

SHORTEST_PASSWORD = 6
LONGEST_FIELD = 255  # characters of a name or an address


class UsernameTaken(Conflict):
    code = "username-taken"
    number = 8

    def __init__(self, username: str) -> None:
        self.username = username
        super().__init__(f"the username {username!r} is already used", hint="Choose another one.")


class UsernameInvalid(Invalid):
    code = "username-invalid"
    number = 7

    def __init__(self, username: str) -> None:
        self.username = username
        super().__init__(
            f"{username[:80]!r} is not a username",
            hint="Use 2 to 64 letters, digits and _.@+-, beginning with a letter, a digit or _.",
        )


class PasswordUnfit(Invalid):
    code = "password-unfit"
    number = 6

    def __init__(self) -> None:
        super().__init__(
            "the password is too short or too long", hint=f"Use {SHORTEST_PASSWORD} to {LONGEST} characters."
        )


class NoSuchUser(NotFound):
    code = "no-such-user"

    def __init__(self, who: str) -> None:
        self.who = who
        super().__init__(f"there is no user {who[:80]!r}", hint="List the users to find the right one.")


class WrongLogin(NotSignedIn):
    """Unknown name, wrong password or an account without one: nobody is told which."""

    code = "wrong-login"
    number = 30

    def __init__(self) -> None:
        super().__init__(
            "the username or the password is wrong", hint="Try again, or ask an administrator to reset it."
        )


class AccountLocked(Forbidden):
    code = "account-locked"
    number = 50

    def __init__(self) -> None:
        super().__init__("this account is locked", hint="Ask an administrator to unlock it.")


class NotYourself(Invalid):
    code = "not-yourself"
    number = 25

    def __init__(self) -> None:
        super().__init__("nobody locks their own account", hint="Ask another administrator.")


class MayNotChange(Forbidden):
    code = "user-field-immutable"

    def __init__(self) -> None:
        super().__init__("only administrators change usernames and roles", hint="Ask an administrator.")


class LastAdministrator(Invalid):
    code = "last-administrator"
    number = 61

    def __init__(self) -> None:
        super().__init__("this is the only administrator", hint="Make somebody else an administrator first.")


class UserFieldInvalid(Invalid):
    code = "user-field-invalid"
    number = 25

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not usable", hint=f"Send up to {LONGEST_FIELD} printable characters.")


class NoSuchRole(Invalid):
    code = "no-such-role"
    number = 112

    def __init__(self, role: str) -> None:
        super().__init__(f"{role[:40]!r} is not a role", hint="Use viewer, publisher or administrator.")


class UnknownState(Invalid):
    code = "unknown-account-status"
    number = 115

    def __init__(self, name: str) -> None:
        super().__init__(f"{name[:40]!r} is no state of an account", hint="Use locked, licensed or inactive.")


class NotSortable(Invalid):
    code = "not-sortable"
    number = 11

    def __init__(self, name: str, sortable: Iterable[str]) -> None:
        super().__init__(f"accounts cannot be sorted by {name[:40]!r}", hint=f"Use one of {', '.join(sortable)}.")
