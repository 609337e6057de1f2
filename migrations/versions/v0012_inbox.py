"""Findings dismissed by people, rules withdrawn, channels paused and tested, views saved.

Revision ID: 0012
"""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of dismissals, tests and saved views."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "inbox.sql").read_text())


def downgrade() -> None:
    """What people stated is kept."""
    raise RuntimeError("what people dismissed and saved cannot be migrated to nothing: restore a backup")
