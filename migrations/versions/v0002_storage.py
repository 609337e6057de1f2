"""Storage that ages well: roll-ups kept with the posting, partitions of all tables of volume, retention.

Revision ID: 0002
"""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the roll-ups from the calls that are there, and the triggers that keep them from now on."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    here = Path(__file__).parent
    for name in ("rollups.sql",):
        connection.execute((here / name).read_text())


def downgrade() -> None:
    """Roll-ups could go, but rows that retention dropped would not come back."""
    raise RuntimeError("this migration has no way back: restore a backup")
