"""Visits: who opened what, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_usage"
down_revision = "0002_rehearsals"
branch_labels = None
depends_on = None


def Big() -> sa.types.TypeEngine[int]:  # noqa: N802
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "visits",
        sa.Column("id", Big(), nullable=False),
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("user_id", Big(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("bundle_id", Big(), nullable=True),
        sa.Column("rendering_id", Big(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="visits_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="visits_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("visits_by_item", "visits", ["item_id", "at"])
    op.create_index("visits_by_time", "visits", ["at"])
