"""``python -m lab.systems.hss``."""

from lab.systems.hss.cli import main

if __name__ == "__main__":
    main()
