"""``python -m lab.systems.idms``."""

from lab.systems.idms.cli import main

main()
