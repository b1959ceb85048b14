"""Which modules are the hot path, and the digest that ties a compiled copy to their source.

Needs nothing but Python: an installation asks it before anything else is there.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

MODULES: Final = (
    "splice",
    "express",
    "templates",
    "forms",
    "form_table",
    "ready_sets",
    "session_ids",
    "remembered",
    "pending",
    "duplicates",
    "deadlines",
    "counters",
    "outlets",
    "form_learning",
    "returning",
    "express_lane",
)


def digest(names: Sequence[str] = MODULES) -> str:
    """Return the SHA-256 of the sources, in hexadecimal, which the compiled copies must name."""
    here = Path(__file__).parent
    return hashlib.sha256(b"".join((here / f"{name}.py").read_bytes() for name in names)).hexdigest()
