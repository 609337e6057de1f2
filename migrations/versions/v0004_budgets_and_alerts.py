"""Budgets with holds, and alerts.

Revision ID: 0004
"""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of budgets and alerts, and the functions that keep what was spent and grant holds."""
    here = Path(__file__).parent
    for name in ("budgets.sql", "alerts.sql"):
        connection = op.get_bind().connection.driver_connection
        if connection is None:
            raise RuntimeError("the migration runs without a connection")
        connection.execute((here / name).read_text())


def downgrade() -> None:
    """There is no way back: revisions of budgets and the history of alerts are kept."""
    raise RuntimeError("budgets and alerts cannot be migrated to nothing: restore a backup")
