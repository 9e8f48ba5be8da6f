"""Who may use an OAuth integration; nobody named: everybody who publishes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013_integration_permissions"
down_revision = "0012_ad_hoc_variants"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("integrations", sa.Column("permissions", sa.JSON(), nullable=False, server_default="[]"))
