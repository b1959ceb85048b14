"""``python -m mmserver.configuration``."""

from mmserver.configuration.cli import app

app()
