"""Roll-ups kept with the posting.

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
    connection.execute((Path(__file__).parent / "rollups.sql").read_text())


def downgrade() -> None:
    """Roll-ups outlive what they sum, so that they cannot be dropped and made again."""
    raise RuntimeError("this migration has no way back: restore a backup")
