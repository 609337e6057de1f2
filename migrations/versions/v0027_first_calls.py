"""Decisions know how long a task's first call took: they are derived again.

Revision ID: 0027
"""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Have every task looked at again; those whose records are gone keep the decisions they have."""
    op.execute("delete from pigou.setting where setting like 'decided_through:%'")


def downgrade() -> None:
    """What was known of earlier decisions was derived and can be derived again, but only by the version that does."""
    raise RuntimeError("decisions cannot be migrated to what was known of them before: restore a backup")
