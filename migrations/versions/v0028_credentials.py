"""Credentials: who may send, read and act, for all tenants or for one.

Revision ID: 0028
"""

from pathlib import Path

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "credentials.sql").read_text())


def downgrade() -> None:
    """Without credentials everybody would be let in."""
    raise RuntimeError("this migration has no way back: restore a backup")
