from support.database import *  # noqa: F403
