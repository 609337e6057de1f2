"""What engines served, summed by hour.

Revision ID: 0026
"""

from pathlib import Path

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sum the requests that are there, and keep the sums."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "serving_hours.sql").read_text())


def downgrade() -> None:
    """What was summed could be summed again, but the pages of this version ask for it."""
    raise RuntimeError("the sums of requests cannot be migrated to nothing: restore a backup")
