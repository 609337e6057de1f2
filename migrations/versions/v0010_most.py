"""What a segment's best looking options gain, kept with it.

Revision ID: 0010
"""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what was appraised without it is appraised again."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "most.sql").read_text())


def downgrade() -> None:
    """What was appraised is kept."""
    raise RuntimeError("the gains of segments cannot be migrated to nothing: restore a backup")
