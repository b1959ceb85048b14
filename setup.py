"""Compile the hot path of the Diameter proxy where mypyc and a C compiler are found; go on without them.

Everything else about the package is in pyproject.toml.  The source is compiled from a copy that also names its digest:
``diameter_proxy.hot_path`` takes no other.  MC_HOT_PATH=plain leaves it out.  ``setup.py can_compile`` only says
whether it can be done.
"""

import os
import re
import shutil
import sys
import sysconfig
from importlib import import_module
from pathlib import Path
from types import ModuleType

from setuptools import Extension, setup

HERE = Path(__file__).parent
PACKAGE = "diameter_proxy"


def can_compile() -> bool:
    """Say whether there are a compiler and Python's headers."""
    header = Path(sysconfig.get_path("include"), "Python.h")
    return bool(shutil.which("cc") or shutil.which("gcc")) and header.exists()


def extensions() -> list[Extension]:
    """Return what is to be compiled; building it may fail without consequences."""
    if os.environ.get("MC_HOT_PATH") == "plain" or not can_compile():
        return []
    try:
        from mypyc.build import mypycify
    except ImportError:
        return []
    sources = _sources()
    copies = [_copy(name, sources.MODULES, sources.digest()) for name in sources.MODULES]
    options = ["--config-file=", "--ignore-missing-imports", "--no-incremental"]
    try:
        made = mypycify([*options, *map(str, copies)], opt_level="3")
    except SystemExit:  # mypyc's way to say that a source does not compile
        return []
    finally:
        for copy in copies:
            copy.unlink()
    for extension in made:
        extension.optional = True
    return made


def _copy(name: str, names: tuple[str, ...], digest: str) -> Path:
    """Write the source of one module so that it imports its compiled fellows and names the digest of them all."""
    fellows = re.compile(rf"^( *)from {PACKAGE}\.({'|'.join(names)}) import", re.MULTILINE)
    text = (HERE / PACKAGE / f"{name}.py").read_text()
    copy = Path(PACKAGE) / f"_{name}_compiled.py"
    copy.write_text(fellows.sub(rf"\1from {PACKAGE}._\2_compiled import", text) + f'\nSOURCE_SHA256 = "{digest}"\n')
    return copy


def _sources() -> ModuleType:
    """Return ``diameter_proxy.hot_sources`` of this tree, whatever is installed; it needs nothing but Python."""
    sys.path.insert(0, str(HERE))
    return import_module(f"{PACKAGE}.hot_sources")


if sys.argv[1:] == ["can_compile"]:
    sys.exit(not can_compile())
setup(ext_modules=extensions())
