"""Tables of the migration management server; Alembic scripts beside them make and change them.

Invariants are constraints here, not code: one live binding per key, one holder per lent identity (quarantine included),
an audit trail that only grows.  Columns ``*_at`` and ``*_until`` are POSIX seconds.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

HEAD: Final = "0005"
"""The Alembic revision that this program needs; a test holds it equal to the newest script."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Counted = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts by itself in an INTEGER alone, of 64 bits
_LIVE = text("state <> 'quarantined'")  # PostgreSQL has it from the script: naming it here would load that dialect

bindings = Table(
    "bindings",
    metadata,
    Column("id", _Counted, primary_key=True, autoincrement=True),
    Column("handle", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("key", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("releasing", Boolean, nullable=False),
    Column("provisioned", Boolean, nullable=False),
    Column("other_mc_system", String(63), nullable=False),
    Column("migration_management_server", String(253), nullable=False),
    Column("mc_service_ids", Text, nullable=False),
    Column("private_user_identity", String(255), nullable=False),
    Column("public_user_identities", Text, nullable=False),
    Column("counterpart_private_user_identity", String(255), nullable=False),
    Column("counterpart_public_user_identities", Text, nullable=False),
    Column("scope", String(63), nullable=False),
    Column("valid_until", Float, nullable=False),
    Column("held_until", Float),
    Column("quarantined_until", Float),
    Column("server_name", String(255)),
    Column("scscf_host", String(255)),
    Column("scscf_realm", String(255)),
    Column("registered_until", Float),
    Column("deregistration", String(16), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("withdrawal", String(32), nullable=False, server_default=""),
    Column("unused_until", Float),
    Column("unused_since", Float),
    CheckConstraint("role IN ('primary', 'partner')", name="role"),
    CheckConstraint("state IN ('held', 'allocated', 'registered', 'quarantined')", name="state"),
    CheckConstraint("(state = 'held') = (held_until IS NOT NULL)", name="held"),
    CheckConstraint("(state = 'quarantined') = (quarantined_until IS NOT NULL)", name="quarantined"),
    CheckConstraint("(state = 'registered') = (server_name IS NOT NULL)", name="registered"),
    Index("uq_bindings_live_key", "role", "key", unique=True, sqlite_where=_LIVE),
    Index("ix_bindings_version", "version"),
    Index("ix_bindings_other_mc_system", "other_mc_system", "role", "state", "enabled"),
    Index("ix_bindings_due_at", "due_at"),
    Index("ix_bindings_private_user_identity", "private_user_identity"),
    Index("ix_bindings_counterpart_private_user_identity", "counterpart_private_user_identity"),
)
"""``scope`` is empty for a set lent once, or the partner's name where the default set itself is lent to several.

``withdrawal`` names the row of ``withdrawals`` that disabled it; ``unused_since`` and
``unused_until`` are set while nobody has used it yet.
"""

binding_users = Table(
    "binding_users",
    metadata,
    Column("mc_service_id", String(255), primary_key=True),
    Column("handle", String(64), primary_key=True),
)
"""Whose binding it was, for good: the audit trail is asked by user long after the binding is gone."""

withdrawals = Table(
    "withdrawals",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("other_mc_system", String(63), nullable=False),
    Column("mc_service_id", String(255), nullable=False),
    Column("at", Float, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("complete", Boolean, nullable=False),
    CheckConstraint("role IN ('primary', 'partner')", name="role"),
    Index("uq_withdrawals_whom", "role", "other_mc_system", "mc_service_id", unique=True),
)
"""Migration withdrawn for a user and another MC system, or for all users (``mc_service_id`` is empty).

``complete``: every binding that it concerns has been disabled.
"""

lent_identities = Table(
    "lent_identities",
    metadata,
    Column("identity", String(255), primary_key=True),
    Column("scope", String(63), primary_key=True),
    Column("binding_id", _Counted, ForeignKey("bindings.id", ondelete="CASCADE"), nullable=False, index=True),
)
"""Each lent identity has one holder from the hold to the end of the quarantine."""

audit = Table(
    "audit",
    metadata,
    Column("id", _Counted, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False, index=True),
    Column("handle", String(64), nullable=False, index=True),
    Column("event", String(40), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("reason", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("deregistration", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("role", String(16), nullable=False, server_default=""),
    Column("other_mc_system", String(63), nullable=False, server_default=""),
    Column("traceparent", String(55), nullable=False, server_default=""),
    Index("ix_audit_other_mc_system", "other_mc_system", "id"),
)

feed_version = Table(
    "feed_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("v", BigInteger, nullable=False),
    Column("horizon", BigInteger, nullable=False),
    Column("life", String(64), nullable=False, server_default=""),
    CheckConstraint("id = 1", name="single"),
)
"""``horizon``: whoever asks for what came after an older version must start again (deletions are forgotten).

``life`` says which database this is: a copy that was restored finds another's, and begins a new one (``store_life``).
"""

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("proxy", String(253), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
)

use_reports = Table(
    "use_reports",
    metadata,
    Column("proxy", String(253), primary_key=True),
    Column("since", Float),
    Column("at", Float, nullable=False),
)
"""How far each proxy has reported first uses of primary migration sets: all since ``since``, as of ``at``."""

deregistration_claims = Table(
    "deregistration_claims",
    metadata,
    Column("handle", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("instance", String(32), nullable=False),
    Column("end_to_end", BigInteger, nullable=False),
    Column("until", Float, nullable=False),
)
"""Which instance sends a binding's RTR, until when it alone may, and by which End-to-End Identifier."""
