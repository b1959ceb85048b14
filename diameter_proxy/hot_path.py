"""The hot path as it runs: compiled where a compiler was there at installation, else the same source as plain Python.

Everything else imports the hot path from here, never from its modules.  The compiled copies are taken only when they
were made from the very sources that lie beside them; the environment variable MC_HOT_PATH=plain does without them.
"""

import os
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

from diameter_proxy.hot_sources import MODULES, digest

CHOICE: Final = "MC_HOT_PATH"
PACKAGE: Final = "diameter_proxy"

if TYPE_CHECKING:  # every public name, as the loop at the end puts it here: for mypy alone
    from diameter_proxy.counters import *  # noqa: F403
    from diameter_proxy.deadlines import *  # noqa: F403
    from diameter_proxy.duplicates import *  # noqa: F403
    from diameter_proxy.express import *  # noqa: F403
    from diameter_proxy.express_lane import *  # noqa: F403
    from diameter_proxy.form_learning import *  # noqa: F403
    from diameter_proxy.form_table import *  # noqa: F403
    from diameter_proxy.forms import *  # noqa: F403
    from diameter_proxy.outlets import *  # noqa: F403
    from diameter_proxy.pending import *  # noqa: F403
    from diameter_proxy.ready_sets import *  # noqa: F403
    from diameter_proxy.remembered import *  # noqa: F403
    from diameter_proxy.returning import *  # noqa: F403
    from diameter_proxy.session_ids import *  # noqa: F403
    from diameter_proxy.splice import *  # noqa: F403
    from diameter_proxy.templates import *  # noqa: F403


def choose(wanted: str, names: Sequence[str] = MODULES) -> tuple[list[ModuleType], str]:
    """Return the modules to use, and what they are; ``wanted`` is "plain", or anything else for the best."""
    if wanted == "plain":
        return _plain(names), "plain Python (asked for)"
    try:
        compiled = [import_module(f"{PACKAGE}._{name}_compiled") for name in names]
    except ImportError:
        return _plain(names), "plain Python (not compiled)"
    if any(digest(names) != module.SOURCE_SHA256 for module in compiled):
        return _plain(names), "plain Python (the compiled copy is of another source)"
    return compiled, "compiled"


def _plain(names: Sequence[str]) -> list[ModuleType]:
    return [import_module(f"{PACKAGE}.{name}") for name in names]


modules, KIND = choose(os.environ.get(CHOICE, ""))
for module in modules:
    globals().update({name: thing for name, thing in vars(module).items() if not name.startswith("_")})
