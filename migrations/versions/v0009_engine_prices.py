"""Shadow prices of engines, and the delays imposed on them.

Revision ID: 0009
"""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table of externalities; prices say on what they rest."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "engine_prices.sql").read_text())


def downgrade() -> None:
    """What was measured is kept."""
    raise RuntimeError("prices of engines cannot be migrated to nothing: restore a backup")
