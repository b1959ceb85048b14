"""What a start puts off is there afterwards: rich, the search for cycles, a model's validator."""

import gc
import subprocess
import sys

from pydantic import BaseModel

from mmserver.quick_imports import quick_imports

LOADS_RICH = "import sys, structlog; print('rich' in sys.modules)"


def run(script: str) -> str:
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_structlog_goes_without_rich() -> None:
    assert run(LOADS_RICH) == "True", "or there is nothing to keep out any more"
    script = (
        "import sys\nfrom mmserver.quick_imports import quick_imports\nwith quick_imports():\n    import structlog\n"
        "print('rich' in sys.modules); import rich.console; print(rich.console.Console is not None)"
    )
    assert run(script).split() == ["False", "True"]


def test_rich_that_is_there_already_stays() -> None:
    import rich

    with quick_imports():
        assert sys.modules["rich"] is rich


def test_a_model_is_built_when_it_is_first_used() -> None:
    with quick_imports():

        class Late(BaseModel):
            number: int

    assert not Late.__pydantic_complete__
    assert Late(number=7).number == 7
    assert Late.__pydantic_complete__

    class Early(BaseModel):
        number: int

    assert Early.__pydantic_complete__


def test_the_search_for_cycles_goes_on_afterwards() -> None:
    assert gc.isenabled()
    with quick_imports():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.unfreeze()


def test_who_had_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with quick_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
