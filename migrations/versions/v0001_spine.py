"""The spine: reference tables, books, calls, records, roles.

Revision ID: 0001
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, the triggers that keep the books append-only, and the three roles."""
    here = Path(__file__).parent
    for name in ("spine.sql", "roles.sql"):
        connection = op.get_bind().connection.driver_connection
        if connection is None:
            raise RuntimeError("the migration runs without a connection")
        connection.execute((here / name).read_text())


def downgrade() -> None:
    """There is no way back from the first migration but a new database."""
    raise RuntimeError("the books cannot be migrated to nothing: restore a backup, or start an empty home")
