"""Calls found by the conversation and the user that they name.

Revision ID: 0019
"""

from pathlib import Path

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the indexes, which takes some seconds for each million of calls."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "found.sql").read_text())


def downgrade() -> None:
    """The pages of this version look through them."""
    raise RuntimeError("this migration has no way back: restore a backup")
