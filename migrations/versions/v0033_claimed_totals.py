"""The cost that parents state is compared with what was booked below them, as their tokens are.

Revision ID: 0033
"""

from pathlib import Path

from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Compare costs from now on."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "claimed_totals.sql").read_text())


def downgrade() -> None:
    """What was compared is kept."""
    raise RuntimeError("compared costs cannot be migrated to nothing: restore a backup")
