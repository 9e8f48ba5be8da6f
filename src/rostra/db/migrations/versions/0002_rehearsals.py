"""Rehearsals: each one, its items, what was found out, and the environments built for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_rehearsals"
down_revision = "0001"
branch_labels = None
depends_on = None


def Big() -> sa.types.TypeEngine[int]:  # noqa: N802
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "rehearsals",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("retire", sa.JSON(), nullable=False),
        sa.Column("onto", sa.String(), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("keep", sa.Boolean(), nullable=False),
        sa.Column("fresh", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("user_id", Big(), nullable=True),
        sa.Column("task_id", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="rehearsals_pkey"),
    )
    op.create_index("rehearsals_created_at_index", "rehearsals", ["created_at"])
    op.create_table(
        "rehearsal_items",
        sa.Column("rehearsal_id", sa.String(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["rehearsal_id"], ["rehearsals.id"], name="rehearsal_items_rehearsal_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rehearsal_id", "guid", name="rehearsal_items_pkey"),
    )
    op.create_table(
        "rehearsal_findings",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("found_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="rehearsal_findings_pkey"),
    )
    op.create_index("rehearsal_findings_found_at_index", "rehearsal_findings", ["found_at"])
    op.create_table(
        "rehearsal_environments",
        sa.Column("rehearsal_id", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rehearsal_id"], ["rehearsals.id"], name="rehearsal_environments_rehearsal_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rehearsal_id", "key", name="rehearsal_environments_pkey"),
    )
