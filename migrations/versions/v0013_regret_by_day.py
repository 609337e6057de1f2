"""What decisions and tasks sum to by day, kept with them.

Revision ID: 0013
"""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the sums, fill them from what is there, and keep them from then on."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "regret_by_day.sql").read_text())


def downgrade() -> None:
    """The sums can be made again at any time."""
    raise RuntimeError("the sums by day cannot be migrated to nothing: restore a backup")
