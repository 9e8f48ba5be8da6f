"""Variants that were made for one look: renderings with values of somebody's own, kept for a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012_ad_hoc_variants"
down_revision = "0011_oauth_sessions"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("variants", sa.Column("ad_hoc", sa.Boolean(), nullable=False, server_default=sa.false()))
