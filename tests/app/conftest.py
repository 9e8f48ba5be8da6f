from support.controlling import *  # noqa: F403
from support.controlling import house, world
from support.database import *  # noqa: F403

__all__ = ["house", "world"]
