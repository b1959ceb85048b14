"""What the HSS refuses, and what can fail under it.

HssError
├── Refusal        a Cx request is answered with a code (the asker's)
├── ConfigError    the configuration file cannot be used (the operator's)
└── StoreError     the state file cannot be used (ours)
"""


class HssError(Exception):
    """Anything that this program can name."""


class Refusal(HssError):
    """A request is refused.

    Attributes:
        result_code: Result-Code of the answer, or None.
        experimental: Experimental-Result-Code of vendor 10415, or None; exactly one of the two is set.
    """

    def __init__(self, why: str, *, result_code: int | None = None, experimental: int | None = None) -> None:
        """Keep the code; ``why`` is for our log only."""
        super().__init__(why)
        self.result_code = result_code
        self.experimental = experimental


class ConfigError(HssError):
    """One line: file, key and fault."""


class StoreError(HssError):
    """The state file cannot be opened, read or written."""
