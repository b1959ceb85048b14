"""A cheaper start: what a program imports before its first line runs costs more than all that it does then.

No protocol and no clause; a leaf, because every program starts.  Nothing is left out: what is put off is done when it
is first needed, and who asks for ``rich`` after the block gets it.
"""

import gc
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

FOR_COLOURS: Final = ("rich", "pygments")


@contextmanager
def quick_imports() -> Iterator[None]:
    """Load a program's parts inside this block, before anything else of the program.

    - No search for cycles: what is imported stays, so a search finds nothing; later ones leave it out too.
    - No ``rich`` and no ``pygments``: structlog and Mako load them for colours, and go without where there are none.
    - A pydantic model is built when it is first used: FastAPI has sixty that only an OpenAPI document needs.
    """
    # FastAPI marks a request's body so; only a model that is built late complains, and in the midst of our JSON lines.
    warnings.filterwarnings("ignore", message="The 'alias' attribute with value 'body'")
    was_collecting, hidden = gc.isenabled(), [name for name in FOR_COLOURS if name not in sys.modules]
    gc.disable()
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # the import system's word for "not to be found"
    from pydantic import BaseModel

    was_put_off = BaseModel.model_config.get("defer_build", False)
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        BaseModel.model_config["defer_build"] = was_put_off
        for name in hidden:
            sys.modules.pop(name, None)
        gc.freeze()
        if was_collecting:
            gc.enable()
