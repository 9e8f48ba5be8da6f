"""Variants of documents, their schedules and readers, and the outbox of mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_documents"
down_revision = "0004_server_api"
branch_labels = None
depends_on = None


def Big() -> sa.types.TypeEngine[int]:  # noqa: N802
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _variants()
    _schedules()
    _mails()
    op.add_column("renderings", sa.Column("variant_id", Big(), nullable=True))
    op.create_index("renderings_variant_id_index", "renderings", ["variant_id"])
    op.add_column("jobs", sa.Column("variant_id", Big(), nullable=True))
    op.add_column("jobs", sa.Column("skip_reason", sa.String(), nullable=True))


def _variants() -> None:
    op.create_table(
        "variants",
        sa.Column("id", Big(), nullable=False),
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("owner_id", Big(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("email_collaborators", sa.Boolean(), nullable=False),
        sa.Column("email_viewers", sa.Boolean(), nullable=False),
        sa.Column("email_all", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="variants_item_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="variants_owner_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="variants_pkey"),
        sa.UniqueConstraint("item_id", "key", name="variants_item_id_key_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("variants_owner_id_index", "variants", ["owner_id"])
    _people("subscribers", "variant_id", "variants")
    _people("failure_subscribers", "item_id", "items")


def _people(name: str, column: str, of: str) -> None:
    op.create_table(
        name,
        sa.Column(column, Big(), nullable=False),
        sa.Column("user_id", Big(), nullable=False),
        sa.ForeignKeyConstraint([column], [f"{of}.id"], name=f"{name}_{column}_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"{name}_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint(column, "user_id", name=f"{name}_pkey"),
    )
    op.create_index(f"{name}_user_id_index", name, ["user_id"])


def _schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("id", Big(), nullable=False),
        sa.Column("variant_id", Big(), nullable=False),
        sa.Column("every", sa.String(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("start_at", sa.DateTime(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("email", sa.Boolean(), nullable=False),
        sa.Column("activate", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("next_run", sa.DateTime(), nullable=True),
        sa.Column("created_by_id", Big(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["variant_id"], ["variants.id"], name="schedules_variant_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="schedules_pkey"),
        sa.UniqueConstraint("variant_id", name="schedules_variant_id_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("schedules_next_run_index", "schedules", ["next_run"])


def _mails() -> None:
    op.create_table(
        "mails",
        sa.Column("id", Big(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("recipient", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("page", sa.String(), nullable=True),
        sa.Column("page_url", sa.String(), nullable=True),
        sa.Column("attachments", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("attempts", Big(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("leased_until", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="mails_pkey"),
        sa.UniqueConstraint("key", name="mails_key_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("mails_waiting", "mails", ["ended_at", "due_at"])
