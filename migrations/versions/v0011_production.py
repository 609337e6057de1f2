"""What the next dollar of each use brings in each class of tasks.

Revision ID: 0011
"""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; the next appraisal fills it."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "production.sql").read_text())


def downgrade() -> None:
    """What was measured is kept."""
    raise RuntimeError("marginal products cannot be migrated to nothing: restore a backup")
