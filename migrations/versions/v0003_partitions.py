"""Partitions by month of all tables of volume, and retention that drops them.

Revision ID: 0003
"""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rebuild the tables that were not partitioned, and create the functions that make, empty and drop months."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "partitions.sql").read_text())


def downgrade() -> None:
    """What retention dropped would not come back."""
    raise RuntimeError("this migration has no way back: restore a backup")
