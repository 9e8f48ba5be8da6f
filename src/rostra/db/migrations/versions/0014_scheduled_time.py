"""When a scheduled run was due, which is not when it was asked for: a server may have been away at that time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014_scheduled_time"
down_revision = "0013_integration_permissions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("due_at", sa.DateTime(), nullable=True))
