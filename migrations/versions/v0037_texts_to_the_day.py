"""Text that is past its retention goes day by day, not with its month: 30 days are 30 days.

Revision ID: 0037
"""

from pathlib import Path

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the running roles delete what is past the bound that the owner set, and nothing else."""
    connection = op.get_bind().connection.driver_connection
    if connection is None:
        raise RuntimeError("the migration runs without a connection")
    connection.execute((Path(__file__).parent / "texts_to_the_day.sql").read_text())


def downgrade() -> None:
    """Text goes with its month again."""
    op.execute("drop function pigou.delete_texts(integer)")
