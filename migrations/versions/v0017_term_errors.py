"""How sure each term of a segment is, kept with it.

Revision ID: 0017
"""

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what was appraised without it is appraised again."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "term_errors.sql").read_text())


def downgrade() -> None:
    """What was appraised is kept."""
    raise RuntimeError("the errors of terms cannot be migrated to nothing: restore a backup")
