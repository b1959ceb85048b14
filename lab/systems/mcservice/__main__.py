"""``python -m lab.systems.mcservice``."""

from lab.systems.mcservice.cli import main

main()
