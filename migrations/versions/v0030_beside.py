"""How much later options let tasks end, and what small segments borrow from their siblings.

Revision ID: 0030
"""

from pathlib import Path

from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table and the columns; what was appraised without them is appraised again."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "beside.sql").read_text())


def downgrade() -> None:
    """What was appraised is kept."""
    raise RuntimeError("what was said beside regrets cannot be migrated to nothing: restore a backup")
