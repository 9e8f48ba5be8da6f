"""Groups, tags, bookmarks, thumbnails, the audit log, key pairs, integrations and the system's checks.

A permission is a person"s or a group"s from here on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_server_api"
down_revision = "0003_usage"
branch_labels = None
depends_on = None


def Big() -> sa.types.TypeEngine[int]:  # noqa: N802
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _people()
    _content()
    _permissions()


def _people() -> None:
    op.create_table(
        "groups",
        sa.Column("id", Big(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("folded", sa.String(), nullable=False),
        sa.Column("owner_id", Big(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="groups_pkey"),
        sa.UniqueConstraint("guid", name="groups_guid_unique"),
        sa.UniqueConstraint("folded", name="groups_folded_unique"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "memberships",
        sa.Column("group_id", Big(), nullable=False),
        sa.Column("user_id", Big(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name="memberships_group_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="memberships_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "user_id", name="memberships_pkey"),
    )
    op.create_index("memberships_user_id_index", "memberships", ["user_id"])
    op.create_table(
        "key_pairs",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("user_id", Big(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("active_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="key_pairs_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token", name="key_pairs_pkey"),
    )
    op.create_index("key_pairs_user_id_index", "key_pairs", ["user_id"])


def _content() -> None:
    op.create_table(
        "tags",
        sa.Column("id", Big(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("parent_id", Big(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["tags.id"], name="tags_parent_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="tags_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("tags_parent_id_index", "tags", ["parent_id"])
    op.create_table(
        "item_tags",
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("tag_id", Big(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="item_tags_item_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name="item_tags_tag_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", "tag_id", name="item_tags_pkey"),
    )
    op.create_index("item_tags_tag_id_index", "item_tags", ["tag_id"])
    op.create_table(
        "bookmarks",
        sa.Column("user_id", Big(), nullable=False),
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="bookmarks_item_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="bookmarks_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "item_id", name="bookmarks_pkey"),
    )
    op.create_index("bookmarks_item_id_index", "bookmarks", ["item_id"])
    op.create_table(
        "thumbnails",
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="thumbnails_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", name="thumbnails_pkey"),
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", Big(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("user_id", Big(), nullable=True),
        sa.Column("user_guid", sa.String(), nullable=True),
        sa.Column("user_description", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="audit_entries_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_entries_at_index", "audit_entries", ["at"])
    op.create_index("audit_entries_subject_index", "audit_entries", ["subject"])
    op.create_index("audit_entries_user_id_index", "audit_entries", ["user_id"])
    op.create_table(
        "image_environments",
        sa.Column("id", Big(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("cluster_name", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="image_environments_pkey"),
        sa.UniqueConstraint("cluster_name", "name", name="image_environments_cluster_name_name_unique"),
        sa.UniqueConstraint("guid", name="image_environments_guid_unique"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "integrations",
        sa.Column("id", Big(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("auth_type", sa.String(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="integrations_pkey"),
        sa.UniqueConstraint("guid", name="integrations_guid_unique"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "associations",
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("integration_id", Big(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["integration_id"], ["integrations.id"], name="associations_integration_id_fkey", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="associations_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", "integration_id", name="associations_pkey"),
    )
    op.create_index("associations_integration_id_index", "associations", ["integration_id"])
    op.create_table(
        "check_runs",
        sa.Column("id", Big(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("hostname", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="check_runs_pkey"),
        sqlite_autoincrement=True,
    )


def _permissions() -> None:
    with op.batch_alter_table("permissions", table_kwargs={"sqlite_autoincrement": True}) as permissions:
        permissions.alter_column("user_id", existing_type=Big(), nullable=True)
        permissions.add_column(sa.Column("group_id", Big(), nullable=True))
        permissions.create_foreign_key("permissions_group_id_fkey", "groups", ["group_id"], ["id"], ondelete="CASCADE")
        permissions.create_unique_constraint("permissions_item_id_group_id_unique", ["item_id", "group_id"])
        permissions.create_index("permissions_group_id_index", ["group_id"])
