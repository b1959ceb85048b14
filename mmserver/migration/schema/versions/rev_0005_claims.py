"""Which instance sends an RTR: claims that lapse.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the claims; an RTR that is pending is claimed by whoever comes first."""
    op.create_table(
        "deregistration_claims",
        sa.Column("handle", sa.String(64), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("instance", sa.String(32), nullable=False),
        sa.Column("end_to_end", sa.BigInteger, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
    )


def downgrade() -> None:
    """Take them away: two instances may send one RTR twice, as before."""
    op.drop_table("deregistration_claims")
