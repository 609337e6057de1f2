"""Delivery of alerts: channels, outbox, maintenance.

Revision ID: 0007
"""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of delivery and the trigger that fills them."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    here = Path(__file__).parent
    for name in ("alerts_delivery.sql",):
        connection.execute((here / name).read_text())


def downgrade() -> None:
    """What was told is kept."""
    raise RuntimeError("delivery cannot be migrated to nothing: restore a backup")
