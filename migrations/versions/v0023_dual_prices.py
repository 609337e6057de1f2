"""Policy that leaves a price to its dual.

Revision ID: 0023
"""

from pathlib import Path

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: nothing that was stated is a dual."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "dual_prices.sql").read_text())


def downgrade() -> None:
    """What was stated is kept."""
    raise RuntimeError("what policy states cannot be migrated to nothing: restore a backup")
