"""Keys of records, calls and their identities in the order of time.

Revision ID: 0006
"""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the keys anew, which takes some seconds for each million of calls."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "keys.sql").read_text())


def downgrade() -> None:
    """The program before this one reads by other indexes."""
    raise RuntimeError("this migration has no way back: restore a backup")
