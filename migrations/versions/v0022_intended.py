"""What a segment lost by what was not chosen to learn, apart from what was.

Revision ID: 0022
"""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; segments are appraised again by the method that fills them."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "intended.sql").read_text())


def downgrade() -> None:
    """What was appraised is kept."""
    raise RuntimeError("what segments lost on purpose cannot be migrated to nothing: restore a backup")
