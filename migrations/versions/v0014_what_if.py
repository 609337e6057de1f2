"""What prices were solved over.

Revision ID: 0014
"""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep the period of a look, and its alternatives; there are none before the next look."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "what_if.sql").read_text())


def downgrade() -> None:
    """What was looked at is kept."""
    raise RuntimeError("the periods of prices cannot be migrated to nothing: restore a backup")
