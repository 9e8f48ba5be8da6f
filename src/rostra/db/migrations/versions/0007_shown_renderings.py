"""Which renderings visitors got: one that never was shown is a draft."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_shown_renderings"
down_revision = "0006_r"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("renderings", sa.Column("shown", sa.Boolean(), nullable=False, server_default=sa.false()))
    flags = (sa.column("active", sa.Boolean()), sa.column("shown", sa.Boolean()))
    renderings = sa.table("renderings", sa.column("item_id"), sa.column("bundle_id"), *flags)
    items = sa.table("items", sa.column("id"), sa.column("live_bundle_id"))
    live = sa.select(items.c.live_bundle_id).where(items.c.id == renderings.c.item_id).scalar_subquery()
    was_shown = sa.or_(renderings.c.active, renderings.c.bundle_id == live)
    op.execute(sa.update(renderings).where(was_shown).values({"shown": sa.true()}))
