"""Compile the hot path of the Diameter proxy where mypyc and a C compiler are found; go on without them.

Everything else about the package is in pyproject.toml.  The source is compiled from a copy that also names its digest:
``diameter_proxy.hot_path`` takes no other.  MC_HOT_PATH=plain leaves it out.  ``setup.py can_compile`` only says
whether it can be done.
"""

import hashlib
import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

SOURCES = ("diameter_proxy/splice.py",)


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
    made = []
    for name in SOURCES:
        source = Path(name)
        copy = source.with_name(f"_{source.stem}_compiled.py")
        octets = source.read_bytes()
        copy.write_bytes(octets + f'\nSOURCE_SHA256 = "{hashlib.sha256(octets).hexdigest()}"\n'.encode())
        try:
            made += mypycify(["--config-file=", "--no-incremental", str(copy)], opt_level="3")
        finally:
            copy.unlink()
    for extension in made:
        extension.optional = True
    return made


if sys.argv[1:] == ["can_compile"]:
    sys.exit(not can_compile())
setup(ext_modules=extensions())
