"""Tables of the configuration management server; the Alembic scripts beside them make and change them.

Columns ``at``, ``since`` and ``*_at`` are POSIX seconds.
"""

from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Column, Float, Index, Integer, MetaData, String, Table, Text

HEAD: Final = "0001"
"""The Alembic revision that this program needs; a test holds it equal to the newest script."""

VERSION_TABLE: Final = "cms_alembic_version"
"""Its own, so that a migration management server may live in the same database."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

entries = Table(
    "cms_entries",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("document", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", Float, nullable=False),
    Column("actor", String(255), nullable=False),
    CheckConstraint("kind IN ('agreement', 'user', 'group')", name="kind"),
)

version = Table(
    "cms_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("v", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="single"),
)
"""Taken by every change of ``entries`` within its transaction: an instance that sees it reads them all."""

audit = Table(
    "cms_audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("event", String(40), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(255), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("traceparent", String(64), nullable=False),
    Column("document", Text, nullable=False),
    Index("ix_cms_audit_kind_name", "kind", "name"),
)

tellings = Table(
    "cms_tellings",
    metadata,
    Column("binding", String(64), primary_key=True),
    Column("partner", String(63), nullable=False),
    Column("action", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("document", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("tried_at", Float),
    Column("told_at", Float),
    Column("why", String(200), nullable=False),
    CheckConstraint("action IN ('withdraw', 'restore', 'release')", name="action"),
    CheckConstraint("state IN ('pending', 'told')", name="state"),
    CheckConstraint("(state = 'told') = (told_at IS NOT NULL)", name="told"),
    Index("ix_cms_tellings_state", "state", "told_at"),
)
"""What a partner is to be told over CSC-17 about one binding, and whether it has been."""
