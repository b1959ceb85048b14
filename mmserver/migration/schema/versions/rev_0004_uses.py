"""Since when a binding has waited for its first use, and how far the proxies have reported uses.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; a primary binding of before never waited for its first use, and does not begin to."""
    op.add_column("bindings", sa.Column("unused_since", sa.Float))
    op.create_table(
        "use_reports",
        sa.Column("proxy", sa.String(253), primary_key=True),
        sa.Column("since", sa.Float),
        sa.Column("at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Take them away again; a primary binding that waits for its first use ends with its validity, as before."""
    op.execute(
        "UPDATE bindings SET unused_until = NULL, due_at = valid_until WHERE role = 'primary' AND state = 'allocated'"
    )
    op.drop_table("use_reports")
    op.drop_column("bindings", "unused_since")
