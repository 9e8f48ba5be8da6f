"""Both databases."""

from support.database import *  # noqa: F403
