"""Rehearsals on both databases, and samples as running processes."""

from support.database import *  # noqa: F403
from support.samples import *  # noqa: F403
