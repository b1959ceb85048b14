"""How a command of ``mclab`` ends when it does not end well."""


class Misuse(ValueError):
    """The command cannot mean anything here; one line, exit 2."""


class Failure(RuntimeError):
    """The command failed; exit 1."""
