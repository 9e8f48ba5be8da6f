"""The Git repositories that content comes from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_repositories"
down_revision = "0008_use"
branch_labels = None
depends_on = None


def Big() -> sa.types.TypeEngine[int]:  # noqa: N802
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "repositories",
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("branch", sa.String(), nullable=False),
        sa.Column("directory", sa.String(), nullable=False),
        sa.Column("polling", sa.Boolean(), nullable=False),
        sa.Column("commit", sa.String(), nullable=True),
        sa.Column("tree", sa.String(), nullable=True),
        sa.Column("poll_error", sa.Text(), nullable=True),
        sa.Column("deploy_error", sa.Text(), nullable=True),
        sa.Column("fetched_at", sa.DateTime(), nullable=True),
        sa.Column("next_poll", sa.DateTime(), nullable=True),
        sa.Column("changed_by_id", Big(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="repositories_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", name="repositories_pkey"),
    )
    op.create_index("repositories_next_poll_index", "repositories", ["next_poll"])
