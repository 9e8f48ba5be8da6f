"""Which account content runs as when the server is root."""

from __future__ import annotations

import os
import pwd

from rostra.errors import Invalid

OWN_ACCOUNT = "rostra"
SETTING = "Applications.RunAs"


class UnusableAccount(Invalid):
    """The configured account cannot be used to run content."""

    code = "unusable-account"

    def __init__(self, name: str, reason: str, hint: str) -> None:
        self.name = name
        super().__init__(f"{SETTING} = {name!r}: {reason}.", hint=hint)


def choose(configured: str = "", *, root: bool | None = None) -> tuple[int, int] | None:
    """Return the (uid, gid) to become: the configured account, else ``rostra``, else ``nobody``.

    None means that the server is not root: content runs as the server's own account and nothing is to be changed.

    Raises:
        UnusableAccount: the configured account does not exist, is root, or cannot be taken on without being root.
    """
    if not (os.geteuid() == 0 if root is None else root):
        _refuse_other(configured)
        return None
    if configured:
        return _unprivileged(configured)
    for name in (OWN_ACCOUNT, "nobody"):
        found = _find(name)
        if found and found.pw_uid != 0:
            return found.pw_uid, found.pw_gid
    raise UnusableAccount("", "there is no account rostra or nobody", f"Create one and name it as {SETTING}.")


def _unprivileged(name: str) -> tuple[int, int]:
    found = _find(name)
    if found is None:
        raise UnusableAccount(name, "there is no such account", "Create it, or leave the setting out.")
    if found.pw_uid == 0:
        raise UnusableAccount(name, "content must not run as root", "Name an account without privileges.")
    return found.pw_uid, found.pw_gid


def _refuse_other(name: str) -> None:
    found = _find(name) if name else None
    if name and (found is None or found.pw_uid != os.geteuid()):
        raise UnusableAccount(
            name, "only a server that runs as root can run content as another account", "Leave the setting out."
        )


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    except KeyError:
        return None
