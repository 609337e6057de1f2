"""What is required of actions, and what was done with less confirmation.

Revision ID: 0029
"""

from pathlib import Path

from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "autonomy.sql").read_text())


def downgrade() -> None:
    """What was stated and told is kept."""
    raise RuntimeError("what is required of actions cannot be migrated to nothing: restore a backup")
