"""Tasks whose decisions are chosen together, kept with the prices that were solved over them.

Revision ID: 0019
"""

from pathlib import Path

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; prices that were solved without them are looked at again."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "together.sql").read_text())


def downgrade() -> None:
    """What was looked at is kept."""
    raise RuntimeError("the groups of tasks cannot be migrated to nothing: restore a backup")
