"""A temporal key of rates that is quick to fill.

Revision ID: 0018
"""

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the key anew."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "rate_key.sql").read_text())


def downgrade() -> None:
    """The key holds the same."""
    raise RuntimeError("the key of rates cannot be migrated back: restore a backup")
