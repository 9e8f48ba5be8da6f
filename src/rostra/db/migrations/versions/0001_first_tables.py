"""The first tables.

A number that a client has seen (``sqlite_autoincrement``) is never given to anything else, also after a deletion.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def Big() -> sa.types.TypeEngine[int]:  # noqa: N802
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "environments",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("runtime_version", sa.String(), nullable=False),
        sa.Column("runtime_path", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("installer", sa.String(), nullable=False),
        sa.Column("lock", sa.Text(), nullable=False),
        sa.Column("packages", sa.JSON(), nullable=False),
        sa.Column("size", Big(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="environments_pkey"),
    )
    op.create_index("environments_runtime_version_index", "environments", ["runtime_version"])

    op.create_table(
        "tasks",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("user_id", Big(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("leased_until", sa.DateTime(), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("attempts", Big(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("exit_code", Big(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="tasks_pkey"),
    )
    op.create_index("tasks_finished_at_index", "tasks", ["finished_at"])
    op.create_index("tasks_subject_index", "tasks", ["subject"])
    op.create_index("tasks_waiting", "tasks", ["finished_at", "leased_until", "created_at"])

    op.create_table(
        "users",
        sa.Column("id", Big(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("first_name", sa.String(), nullable=False),
        sa.Column("last_name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("active_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="users_pkey"),
        sa.UniqueConstraint("guid", name="users_guid_unique"),
        sa.UniqueConstraint("username", name="users_username_unique"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("id", Big(), nullable=False),
        sa.Column("user_id", Big(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("key_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("process_key", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("active_at", sa.DateTime(), nullable=True),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="api_keys_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="api_keys_pkey"),
        sa.UniqueConstraint("key_hash", name="api_keys_key_hash_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("api_keys_user_id_index", "api_keys", ["user_id"])

    op.create_table(
        "items",
        sa.Column("id", Big(), nullable=False),
        sa.Column("guid", sa.String(), nullable=False),
        sa.Column("owner_id", Big(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("content_category", sa.String(), nullable=False),
        sa.Column("access_type", sa.String(), nullable=False),
        sa.Column("live_bundle_id", Big(), nullable=True),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("locked_message", sa.String(), nullable=False),
        sa.Column("vanity_path", sa.String(), nullable=True),
        sa.Column("vanity_at", sa.DateTime(), nullable=True),
        sa.Column("min_processes", Big(), nullable=True),
        sa.Column("max_processes", Big(), nullable=True),
        sa.Column("max_conns_per_process", Big(), nullable=True),
        sa.Column("load_factor", sa.Double(), nullable=True),
        sa.Column("init_timeout", Big(), nullable=True),
        sa.Column("idle_timeout", Big(), nullable=True),
        sa.Column("connection_timeout", Big(), nullable=True),
        sa.Column("read_timeout", Big(), nullable=True),
        sa.Column("memory_request", Big(), nullable=True),
        sa.Column("memory_limit", Big(), nullable=True),
        sa.Column("cpu_request", sa.Double(), nullable=True),
        sa.Column("cpu_limit", sa.Double(), nullable=True),
        sa.Column("run_as", sa.String(), nullable=True),
        sa.Column("manage_python", sa.Boolean(), nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("updated_at", sa.DateTime(), nullable=False),
        sa.Column("deployed_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="items_owner_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="items_pkey"),
        sa.UniqueConstraint("guid", name="items_guid_unique"),
        sa.UniqueConstraint("vanity_path", name="items_vanity_path_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("items_by_owner_name", "items", ["owner_id", "name"])
    op.create_index("items_owner_id_index", "items", ["owner_id"])

    op.create_table(
        "one_time_links",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("user_id", Big(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="one_time_links_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name="one_time_links_pkey"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("user_id", Big(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="sessions_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token_hash", name="sessions_pkey"),
    )
    op.create_index("sessions_user_id_index", "sessions", ["user_id"])

    op.create_table(
        "task_lines",
        sa.Column("task_id", sa.String(), nullable=False),
        sa.Column("number", Big(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name="task_lines_task_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("task_id", "number", name="task_lines_pkey"),
    )
    op.create_table(
        "bundles",
        sa.Column("id", Big(), nullable=False),
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("created_by_id", Big(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("size", Big(), nullable=False),
        sa.Column("md5", sa.String(), nullable=False),
        sa.Column("sha1", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("entrypoint", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("requested_version", sa.String(), nullable=True),
        sa.Column("requested_range", sa.String(), nullable=True),
        sa.Column("runtime_version", sa.String(), nullable=True),
        sa.Column("runtime_path", sa.String(), nullable=True),
        sa.Column("match_reason", sa.String(), nullable=True),
        sa.Column("environment_key", sa.String(), nullable=True),
        sa.Column("managed", sa.Boolean(), nullable=True),
        sa.Column("built_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="bundles_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="bundles_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("bundles_environment_key_index", "bundles", ["environment_key"])
    op.create_index("bundles_item_id_index", "bundles", ["item_id"])

    op.create_table(
        "jobs",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("id", Big(), autoincrement=False, nullable=False),
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("bundle_id", Big(), nullable=True),
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("pid", Big(), nullable=True),
        sa.Column("log", sa.String(), nullable=True),
        sa.Column("queued_at", sa.DateTime(), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("exit_code", Big(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="jobs_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name="jobs_pkey"),
        sa.UniqueConstraint("id", name="jobs_id_unique"),
    )
    op.create_index("jobs_item_id_index", "jobs", ["item_id"])

    op.create_table(
        "permissions",
        sa.Column("id", Big(), nullable=False),
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("user_id", Big(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="permissions_item_id_fkey", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="permissions_user_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="permissions_pkey"),
        sa.UniqueConstraint("item_id", "user_id", name="permissions_item_id_user_id_unique"),
        sqlite_autoincrement=True,
    )
    op.create_index("permissions_item_id_index", "permissions", ["item_id"])
    op.create_index("permissions_user_id_index", "permissions", ["user_id"])

    op.create_table(
        "renderings",
        sa.Column("id", Big(), nullable=False),
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("bundle_id", Big(), nullable=False),
        sa.Column("job_key", sa.String(), nullable=True),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("primary", sa.String(), nullable=False),
        sa.Column("rendered_at", sa.DateTime(), nullable=False),
        sa.Column("duration_ms", Big(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="renderings_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="renderings_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("renderings_item_id_index", "renderings", ["item_id"])

    op.create_table(
        "variables",
        sa.Column("item_id", Big(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name="variables_item_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("item_id", "name", name="variables_pkey"),
    )
