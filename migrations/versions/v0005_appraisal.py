"""Tasks, outcomes, decisions and appraisals.

Revision ID: 0005
"""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of appraisal, their partitions and privileges."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    here = Path(__file__).parent
    for name in ("appraisal.sql", "prices.sql"):
        connection.execute((here / name).read_text())


def downgrade() -> None:
    """What was told of outcomes is kept."""
    raise RuntimeError("appraisal cannot be migrated to nothing: restore a backup")
