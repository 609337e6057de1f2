"""What is posted to later days than it is of is found by these days: a bill says on which lines it is.

Revision ID: 0038
"""

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the few entries whose own days were closed when they came."""
    op.execute(
        "create index entry_posted_late on pigou.entry (tenant_id, posted_on)"
        " where posted_on > (occurred_at at time zone 'UTC')::date"
    )


def downgrade() -> None:
    """The index is dropped."""
    op.execute("drop index pigou.entry_posted_late")
