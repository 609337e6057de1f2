"""What actions risk, by their class.

Revision ID: 0031
"""

from pathlib import Path

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the function and the table; the next appraisal fills it."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "action_risk.sql").read_text())


def downgrade() -> None:
    """What was measured is kept."""
    raise RuntimeError("what actions risk cannot be migrated to nothing: restore a backup")
