"""The R and the Quarto a bundle was built for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_r"
down_revision = "0005_documents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("r_version", "r_path", "quarto_version", "quarto_path"):
        op.add_column("bundles", sa.Column(name, sa.String(), nullable=True))
