"""Copies of a call in another trace than its own are found by the call's: their control totals follow what is booked for it.

Revision ID: 0036
"""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the few copies that stand in another trace than the call of which they are."""
    op.execute(
        "create index call_copied_elsewhere on pigou.call (tenant_id, copy_of_trace_id) where copy_of_trace_id <> trace_id"
    )


def downgrade() -> None:
    """The index is dropped."""
    op.execute("drop index pigou.call_copied_elsewhere")
