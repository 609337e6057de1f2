"""Text that is kept, in a table of its own with a retention of its own; and a retention of deliveries.

Revision ID: 0025
"""

from pathlib import Path

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables and functions."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "texts.sql").read_text())


def downgrade() -> None:
    """Text that was kept would be lost."""
    raise RuntimeError("this migration has no way back: restore a backup")
