"""What senders claim that calls cost, summed by day.

Revision ID: 0015
"""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Sum the claims of the calls that are there, and keep the sums."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "claims.sql").read_text())


def downgrade() -> None:
    """What was summed could be summed again, but the pages of this version ask for it."""
    raise RuntimeError("the sums of claims cannot be migrated to nothing: restore a backup")
