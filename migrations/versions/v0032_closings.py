"""Who closed the books of a tenant, when and why, and who said how long things are kept.

Revision ID: 0032
"""

from pathlib import Path

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; of closings before them is known only how far they went."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "closings.sql").read_text())


def downgrade() -> None:
    """Who closed what is kept."""
    raise RuntimeError("closings cannot be migrated to nothing: restore a backup")
