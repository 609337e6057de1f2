"""What engines can do in a second, and the prices at which what tenants take of them fits it.

Revision ID: 0024
"""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "clearing.sql").read_text())


def downgrade() -> None:
    """What was stated and told is kept."""
    raise RuntimeError("clearing prices cannot be migrated to nothing: restore a backup")
