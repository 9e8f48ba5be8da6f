"""Sessions of interactive content, what processes take, machines' tokens, signatures seen, and notices."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_use"
down_revision = "0007_shown_renderings"
branch_labels = None
depends_on = None


def Big() -> sa.types.TypeEngine[int]:  # noqa: N802
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "usage_sessions",
        sa.Column("id", Big(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("user_id", Big(), nullable=True),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="usage_sessions_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="usage_sessions_pkey"),
        sa.UniqueConstraint("key", name="usage_sessions_key_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("usage_sessions_by_item", "usage_sessions", ["item_id", "began_at"])
    op.create_index("usage_sessions_by_time", "usage_sessions", ["began_at"])
    op.create_index("usage_sessions_open", "usage_sessions", ["ended_at", "seen_at"])
    op.create_table(
        "job_samples",
        sa.Column("job_key", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("cpu", sa.Double(), nullable=False),
        sa.Column("memory_bytes", Big(), nullable=False),
        sa.Column("processes", Big(), nullable=False),
        sa.Column("connections", Big(), nullable=False),
        sa.ForeignKeyConstraint(["job_key"], ["jobs.key"], name="job_samples_job_key_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_key", "at", name="job_samples_pkey"),
    )
    op.create_index("job_samples_by_time", "job_samples", ["at"])
    op.create_table(
        "notices",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="notices_pkey"),
    )
    op.create_table(
        "service_tokens",
        sa.Column("id", Big(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_by_id", Big(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("active_at", sa.DateTime(), nullable=True),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="service_tokens_pkey"),
        sa.UniqueConstraint("guid", name="service_tokens_guid_unique"),
        sa.UniqueConstraint("name", name="service_tokens_name_unique"),
        sa.UniqueConstraint("token_hash", name="service_tokens_token_hash_unique"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "used_signatures",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="used_signatures_pkey"),
    )
    op.create_index("used_signatures_until_index", "used_signatures", ["until"])
