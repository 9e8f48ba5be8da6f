"""Rehearsals on both databases, and samples as running processes."""

from rehearsal.walking import sessions_and_bench  # noqa: F401
from support.database import *  # noqa: F403
from support.samples import *  # noqa: F403
