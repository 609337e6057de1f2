"""Up to when a mode saw what is written of a tenant.

Revision ID: 0016
"""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; every mode looks once more."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "seen.sql").read_text())


def downgrade() -> None:
    """What was seen is kept."""
    raise RuntimeError("what modes saw cannot be migrated to nothing: restore a backup")
