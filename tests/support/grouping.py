"""Keeps the tests of a module that declares an ``xdist_group`` on one worker: its servers are started once.

``--dist loadgroup`` does that by changing the ids of tests, which pytest 9.2 does not let it do any more: it hands them
out as if there were no groups, and says nothing (pytest-xdist issue 1386). Here the ids stay as they are, so that what
failed can be run again by them.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_GROUP = re.compile(r"""xdist_group\(["']([\w-]+)["']\)""")


class GroupScheduling(LoadScopeScheduling):
    """Hands out whole groups, the largest first, and all other tests one by one."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(self.config.rootpath / nodeid.partition("::")[0]) or nodeid


@cache
def group_of(module: Path) -> str:
    """Return the group a test module declares, empty when it declares none."""
    found = _GROUP.search(module.read_text(encoding="utf-8")) if module.is_file() else None
    return found[1] if found else ""
