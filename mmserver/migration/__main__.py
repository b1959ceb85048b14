"""``python -m mmserver.migration``."""

from mmserver.migration.cli import app

if __name__ == "__main__":
    app(prog_name="python -m mmserver.migration")
