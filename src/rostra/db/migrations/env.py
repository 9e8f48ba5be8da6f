"""What Alembic runs for every command: the connection comes from the caller, never from a file."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),  # only needed to write a new step
    render_as_batch=True,  # SQLite cannot alter a column in place
    compare_type=True,
)

with context.begin_transaction():
    context.run_migrations()
