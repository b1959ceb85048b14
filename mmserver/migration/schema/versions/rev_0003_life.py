"""Which life of the store the feed belongs to, and numbers of 64 bits on PostgreSQL.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COUNTED = (("bindings", "id"), ("audit", "id"), ("lent_identities", "binding_id"))


def upgrade() -> None:
    """Add the column; widen what counts up to more than 2,147,483,647."""
    op.add_column("feed_version", sa.Column("life", sa.String(64), nullable=False, server_default=""))
    _set_type(sa.BigInteger, sa.Integer)


def downgrade() -> None:
    """Take it away; a store that has counted further than 32 bits refuses."""
    _set_type(sa.Integer, sa.BigInteger)
    op.drop_column("feed_version", "life")


def _set_type(wanted: type[sa.Integer], existing: type[sa.Integer]) -> None:
    if op.get_bind().dialect.name == "sqlite":  # its integers have 64 bits
        return
    for table, column in COUNTED:
        op.alter_column(table, column, type_=wanted(), existing_type=existing(), existing_nullable=False)
        if column == "id":
            op.execute(f"ALTER SEQUENCE {table}_id_seq AS {wanted().compile(op.get_bind().dialect)}")
