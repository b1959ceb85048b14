"""Bindings, lent identities, audit trail and feed version.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

LIVE = sa.text("state <> 'quarantined'")

ONLY_GROWS_SQLITE = """
CREATE TRIGGER audit_no_{event} BEFORE {event} ON audit
BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END
"""
ONLY_GROWS_POSTGRESQL = "CREATE RULE audit_no_{event} AS ON {event} TO audit DO INSTEAD NOTHING"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "bindings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("handle", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("releasing", sa.Boolean, nullable=False),
        sa.Column("provisioned", sa.Boolean, nullable=False),
        sa.Column("other_mc_system", sa.String(63), nullable=False),
        sa.Column("migration_management_server", sa.String(253), nullable=False),
        sa.Column("mc_service_ids", sa.Text, nullable=False),
        sa.Column("private_user_identity", sa.String(255), nullable=False),
        sa.Column("public_user_identities", sa.Text, nullable=False),
        sa.Column("counterpart_private_user_identity", sa.String(255), nullable=False),
        sa.Column("counterpart_public_user_identities", sa.Text, nullable=False),
        sa.Column("scope", sa.String(63), nullable=False),
        sa.Column("valid_until", sa.Float, nullable=False),
        sa.Column("held_until", sa.Float),
        sa.Column("quarantined_until", sa.Float),
        sa.Column("server_name", sa.String(255)),
        sa.Column("scscf_host", sa.String(255)),
        sa.Column("scscf_realm", sa.String(255)),
        sa.Column("registered_until", sa.Float),
        sa.Column("deregistration", sa.String(16), nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("handle", name="uq_bindings_handle"),
        sa.CheckConstraint("role IN ('primary', 'partner')", name="role"),
        sa.CheckConstraint("state IN ('held', 'allocated', 'registered', 'quarantined')", name="state"),
        sa.CheckConstraint("(state = 'held') = (held_until IS NOT NULL)", name="held"),
        sa.CheckConstraint("(state = 'quarantined') = (quarantined_until IS NOT NULL)", name="quarantined"),
        sa.CheckConstraint("(state = 'registered') = (server_name IS NOT NULL)", name="registered"),
    )
    op.create_index(
        "uq_bindings_live_key", "bindings", ["role", "key"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE
    )
    for column in ("version", "due_at", "private_user_identity", "counterpart_private_user_identity"):
        op.create_index(f"ix_bindings_{column}", "bindings", [column])
    op.create_table(
        "lent_identities",
        sa.Column("identity", sa.String(255), primary_key=True),
        sa.Column("scope", sa.String(63), primary_key=True),
        sa.Column("binding_id", sa.Integer, sa.ForeignKey("bindings.id", ondelete="CASCADE"), nullable=False),
    )
    op.create_index("ix_lent_identities_binding_id", "lent_identities", ["binding_id"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("handle", sa.String(64), nullable=False),
        sa.Column("event", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("deregistration", sa.String(16), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_audit_handle", "audit", ["handle"])
    template = ONLY_GROWS_SQLITE if op.get_bind().dialect.name == "sqlite" else ONLY_GROWS_POSTGRESQL
    for event in ("update", "delete"):
        op.execute(template.format(event=event))
    feed_version = op.create_table(
        "feed_version",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("v", sa.BigInteger, nullable=False),
        sa.Column("horizon", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="single"),
    )
    op.create_table(
        "acknowledgements",
        sa.Column("proxy", sa.String(253), primary_key=True),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    # A new store starts at a number that no older one reached: a proxy that comes with an old version starts again.
    start = int(context.config.attributes["now"] * 1000)
    op.bulk_insert(feed_version, [{"id": 1, "v": start, "horizon": start}])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("acknowledgements", "feed_version", "audit", "lent_identities", "bindings"):
        op.drop_table(table)
