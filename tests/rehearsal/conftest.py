"""Rehearsals on both databases."""

from support.database import *  # noqa: F403
