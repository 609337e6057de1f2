"""What was decided in tasks that turned out to be none goes with them; decisions know what they are about, and are derived again.

Revision ID: 0035
"""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forget decisions whose tasks were taken back, and what was thought of them; have every task looked at again."""
    op.execute(
        """with gone as (
               delete from pigou.decision d
                where not exists (select from pigou.task k where k.tenant_id = d.tenant_id and k.trace_id = d.trace_id)
               returning d.tenant_id, d.decision_id, d.decided_at
           )
           delete from pigou.appraisal a using gone g
            where a.tenant_id = g.tenant_id and a.decision_id = g.decision_id and a.decided_at = g.decided_at"""
    )
    op.execute("delete from pigou.setting where setting like 'decided_through:%'")


def downgrade() -> None:
    """The tables are as they were."""
