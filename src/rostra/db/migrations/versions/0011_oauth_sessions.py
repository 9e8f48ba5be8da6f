"""What people have signed in to for the integrations of content."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_oauth_sessions"
down_revision = "0010_stopped_tasks"
branch_labels = None
depends_on = None


def Big() -> sa.types.TypeEngine[int]:  # noqa: N802
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "oauth_sessions",
        sa.Column("id", Big(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("integration_id", Big(), nullable=False),
        sa.Column("user_id", Big(), nullable=False),
        sa.Column("tokens", sa.Text(), nullable=False),
        sa.Column("has_refresh", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name="oauth_sessions_integration_id_fkey", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="oauth_sessions_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="oauth_sessions_pkey"),
        sa.UniqueConstraint("guid", name="oauth_sessions_guid_unique"),
        sa.UniqueConstraint("integration_id", "user_id", name="oauth_sessions_integration_id_user_id_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("oauth_sessions_user_id_index", "oauth_sessions", ["user_id"])
