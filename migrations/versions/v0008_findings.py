"""Findings, looks and materiality.

Revision ID: 0008
"""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of findings, and what alerts need to tell of them."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "findings.sql").read_text())


def downgrade() -> None:
    """The history of findings is kept."""
    raise RuntimeError("findings cannot be migrated to nothing: restore a backup")
