"""Entries of the admin API, their audit trail, and what partners are told."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cms_entries",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.CheckConstraint("kind IN ('agreement', 'user', 'group')", name="ck_cms_entries_kind"),
    )
    versions = op.create_table(
        "cms_version",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("v", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_cms_version_single"),
    )
    op.bulk_insert(versions, [{"id": 1, "v": 0}])
    op.create_table(
        "cms_audit",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("traceparent", sa.String(64), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
    )
    op.create_index("ix_cms_audit_kind_name", "cms_audit", ["kind", "name"])
    op.create_table(
        "cms_tellings",
        sa.Column("binding", sa.String(64), primary_key=True),
        sa.Column("partner", sa.String(63), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.Float()),
        sa.Column("told_at", sa.Float()),
        sa.Column("why", sa.String(200), nullable=False),
        sa.CheckConstraint("action IN ('withdraw', 'restore', 'release')", name="ck_cms_tellings_action"),
        sa.CheckConstraint("state IN ('pending', 'told')", name="ck_cms_tellings_state"),
        sa.CheckConstraint("(state = 'told') = (told_at IS NOT NULL)", name="ck_cms_tellings_told"),
    )
    op.create_index("ix_cms_tellings_state", "cms_tellings", ["state", "told_at"])


def downgrade() -> None:
    """Drop them."""
    for name in ("cms_tellings", "cms_audit", "cms_version", "cms_entries"):
        op.drop_table(name)
