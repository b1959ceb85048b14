"""The hot path as it runs: compiled where a compiler was there at installation, else the same source as plain Python.

Everything else imports the hot path from here, never from ``splice`` itself.  The compiled copy is taken only when it
was made from the very source that lies beside it; the environment variable MC_HOT_PATH=plain does without it.
"""

import hashlib
import os
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from diameter_proxy import splice as _plain

CHOICE: Final = "MC_HOT_PATH"

if TYPE_CHECKING:
    from diameter_proxy.splice import *  # noqa: F403


def choose(plain: ModuleType, wanted: str) -> tuple[ModuleType, str]:
    """Return what to use for a plain module, and what it is; ``wanted`` is "plain", or anything else for the best."""
    if wanted == "plain":
        return plain, "plain Python (asked for)"
    package, _, name = plain.__name__.rpartition(".")
    try:
        compiled = import_module(f"{package}._{name}_compiled")
    except ImportError:
        return plain, "plain Python (not compiled)"
    if digest(plain) != compiled.SOURCE_SHA256:
        return plain, "plain Python (the compiled copy is of another source)"
    return compiled, "compiled"


def digest(plain: ModuleType) -> str:
    """Return the SHA-256 of a module's source, which its compiled copy must name."""
    assert plain.__file__ is not None, "the hot path lies in a file"
    return hashlib.sha256(Path(plain.__file__).read_bytes()).hexdigest()


_module, KIND = choose(_plain, os.environ.get(CHOICE, ""))
globals().update({name: getattr(_module, name) for name in vars(_plain) if not name.startswith("_")})
