"""Alembic's environment: the connection comes from ``upgrade``, never from a file."""

from alembic import context

from mmserver.migration.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
