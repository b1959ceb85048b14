"""Alembic scripts, one for each revision."""
