"""``mclab`` as it is started: it listens to signals before it loads the rest, so that Ctrl-C is one line then too."""

import sys

from lab.interruption import exit_status, listen


def main() -> None:
    """Load the command line and run it."""
    listen()
    try:
        from lab.cli import main as run_command_line
    except KeyboardInterrupt as exc:
        print("error: interrupted", file=sys.stderr)
        raise SystemExit(exit_status(exc)) from None
    run_command_line()


if __name__ == "__main__":
    main()
