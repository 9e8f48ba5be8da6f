"""Tasks that somebody asked to stop, and a quick answer to whose turn it is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010_stopped_tasks"
down_revision = "0009_repositories"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("stop_asked", sa.String(), nullable=True))
    op.create_index("tasks_turns", "tasks", ["kind", "user_id", "started_at"])
