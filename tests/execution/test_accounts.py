from __future__ import annotations

import os
import pwd

import pytest

from rostra.execution import accounts
from rostra.execution.accounts import UnusableAccount

HOST = {"root": (0, 0), "rostra": (990, 991), "nobody": (65534, 65534), "web": (33, 33)}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int]]:
    there = dict(HOST)

    def find(name: str) -> pwd.struct_passwd | None:
        return pwd.struct_passwd((name, "x", *there[name], "", "/", "/bin/sh")) if name in there else None

    monkeypatch.setattr(accounts, "_find", find)
    return there


@pytest.mark.parametrize(
    ("configured", "missing", "expected", "why"),
    [
        ("", (), (990, 991), "the server's own account"),
        ("", ("rostra",), (65534, 65534), "nobody when there is none"),
        ("web", (), (33, 33), "the configured one"),
    ],
)
def test_choice(
    host: dict[str, tuple[int, int]], configured: str, missing: tuple[str, ...], expected: tuple[int, int], why: str
) -> None:
    for name in missing:
        del host[name]
    assert accounts.choose(configured, root=True) == expected, why


@pytest.mark.parametrize(("configured", "says"), [("ghost", "no such account"), ("root", "must not run as root")])
def test_an_unusable_account_is_named_with_its_setting(host: object, configured: str, says: str) -> None:
    with pytest.raises(UnusableAccount, match=f"Applications.RunAs = '{configured}': .*{says}") as caught:
        accounts.choose(configured, root=True)
    assert caught.value.hint


def test_no_account_at_all(host: dict[str, tuple[int, int]]) -> None:
    host.clear()
    with pytest.raises(UnusableAccount, match=r"Applications\.RunAs"):
        accounts.choose("", root=True)


def test_without_root_there_is_nothing_to_become(host: object) -> None:
    assert accounts.choose("", root=False) is None
    with pytest.raises(UnusableAccount, match="only a server that runs as root"):
        accounts.choose("web", root=False)


def test_the_real_password_file_by_name_and_number() -> None:
    try:
        own = pwd.getpwuid(os.geteuid())
    except KeyError:
        pytest.skip("this account has no entry")
    assert accounts.choose(own.pw_name, root=False) is None
    assert accounts.choose(str(own.pw_uid), root=False) is None
