"""Alembic's environment: the connection comes from ``upgrade``, never from a file."""

from alembic import context

from mmserver.configuration.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
