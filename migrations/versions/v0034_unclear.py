"""Findings know since when looks have had too little evidence to say anything of them.

Revision ID: 0034
"""

from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; of earlier looks it is not known."""
    op.execute(
        "alter table pigou.finding"
        " add column unsaid_since timestamptz,"
        " add column is_unclear boolean not null default false,"
        " add constraint finding_unclear_has_a_time check (not is_unclear or unsaid_since is not null)"
    )


def downgrade() -> None:
    """Looks tell it again."""
    op.execute("alter table pigou.finding drop column unsaid_since, drop column is_unclear")
