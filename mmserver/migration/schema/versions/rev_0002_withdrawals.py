"""Withdrawals by user and agreement, an audit trail that is asked by user, and triggers that keep it as it is.

Revision ID: 0002
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROWS = 1000

# INSERT OR REPLACE deletes without telling a DELETE trigger, unless the writer asked for recursive ones.
ONLY_GROWS_SQLITE = """
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the audit trail only grows'); END
"""
ONLY_GROWS_POSTGRESQL = (
    """
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the audit trail only grows' USING ERRCODE = 'integrity_constraint_violation'; END $$
""",
    """
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()
""",
)


def upgrade() -> None:
    """Add tables and columns; what is there already keeps its users."""
    op.add_column("bindings", sa.Column("withdrawal", sa.String(32), nullable=False, server_default=""))
    op.add_column("bindings", sa.Column("unused_until", sa.Float))
    op.create_index("ix_bindings_other_mc_system", "bindings", ["other_mc_system", "role", "state", "enabled"])
    op.create_table(
        "binding_users",
        sa.Column("mc_service_id", sa.String(255), primary_key=True),
        sa.Column("handle", sa.String(64), primary_key=True),
    )
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("other_mc_system", sa.String(63), nullable=False),
        sa.Column("mc_service_id", sa.String(255), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.CheckConstraint("role IN ('primary', 'partner')", name="role"),
    )
    op.create_index("uq_withdrawals_whom", "withdrawals", ["role", "other_mc_system", "mc_service_id"], unique=True)
    for name, length in (("role", 16), ("other_mc_system", 63), ("traceparent", 55)):
        op.add_column("audit", sa.Column(name, sa.String(length), nullable=False, server_default=""))
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_other_mc_system", "audit", ["other_mc_system", "id"])
    _fill_users()
    if op.get_bind().dialect.name == "sqlite":
        op.execute(ONLY_GROWS_SQLITE)
        return
    for event in ("update", "delete"):
        op.execute(f"DROP RULE IF EXISTS audit_no_{event} ON audit")
    for statement in ONLY_GROWS_POSTGRESQL:
        op.execute(statement)


def downgrade() -> None:
    """Take them away again; withdrawals are forgotten, what they disabled stays disabled."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_no_replace")
    else:
        op.execute("DROP TRIGGER audit_only_grows ON audit")
        op.execute("DROP FUNCTION audit_only_grows()")
        for event in ("update", "delete"):
            op.execute(f"CREATE RULE audit_no_{event} AS ON {event} TO audit DO INSTEAD NOTHING")
    op.drop_index("ix_audit_other_mc_system", "audit")
    op.drop_index("ix_audit_at", "audit")
    for name in ("traceparent", "other_mc_system", "role"):
        op.drop_column("audit", name)
    op.drop_table("withdrawals")
    op.drop_table("binding_users")
    op.drop_index("ix_bindings_other_mc_system", "bindings")
    for name in ("unused_until", "withdrawal"):
        op.drop_column("bindings", name)


def _fill_users() -> None:
    connection = op.get_bind()
    bindings = sa.table("bindings", sa.column("id"), sa.column("handle"), sa.column("mc_service_ids"))
    users = sa.table("binding_users", sa.column("mc_service_id"), sa.column("handle"))
    last = 0
    while rows := connection.execute(
        sa.select(bindings).where(bindings.c.id > last).order_by(bindings.c.id).limit(ROWS)
    ).all():
        last = rows[-1].id
        op.bulk_insert(
            users,
            [
                {"mc_service_id": user, "handle": row.handle}
                for row in rows
                for user in sorted(set(json.loads(row.mc_service_ids)))
            ],
        )
