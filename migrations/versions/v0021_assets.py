"""Assets: what cache writes and rollouts cost, capitalised in a book of its own until it is used up.

Revision ID: 0021
"""

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the third book and the tables of assets; what is booked already becomes due for them by itself."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "assets.sql").read_text())


def downgrade() -> None:
    """What was capitalised is kept."""
    raise RuntimeError("assets cannot be migrated to nothing: restore a backup")
