"""Remembers that a trial of AKA went well, so that the same pjsua2 is not tried again at every start.

What is remembered holds for one shared object, one hook and one interpreter, by their digest; any other octet means a
new trial.  The folder is the user's own (0700): one that belongs to somebody else, or that others may write to, is not
believed.  A trial that failed is never remembered.
"""

import hashlib
import os
import pwd
import stat
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

FOLDER: Final = Path(".cache", "mc-migration", "ue-agent")
WORDS: Final = ("native", "hooked")
_SOURCES: Final = ("aka_hook.py", "elf.py", "hook_trial.py", "pjsua_stack.py")


def own_folder() -> Path:
    """Return the folder of the user who runs us, by the password file and not by the environment."""
    return Path(pwd.getpwuid(os.geteuid()).pw_dir) / FOLDER


def digest_of_what_is_tried() -> str | None:
    """Return what a trial's outcome depends on as one digest; None where pjsua2 is not found."""
    digest = hashlib.sha256(f"{sys.version}\n{os.uname().machine}\n".encode())
    objects = _bindings()
    try:
        for file in (*objects, *(Path(__file__).with_name(name) for name in _SOURCES)):
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    except OSError:
        return None
    return digest.hexdigest() if objects else None


def recall(folder: Path, digest: str) -> str | None:
    """Return how AKA is done as an earlier trial has shown; None where nothing is known or nobody is to be believed."""
    note = folder / digest
    try:
        if not (_is_ours_alone(folder, stat.S_ISDIR) and _is_ours_alone(note, stat.S_ISREG)):
            return None
        word = note.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return word if word in WORDS else None


def remember(folder: Path, digest: str, word: str) -> None:
    """Note a trial that went well; where that cannot be done safely it is not done, and the next start tries again."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours_alone(folder, stat.S_ISDIR):
            return
        draft = folder / f".{digest}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(f"{word}\n", encoding="ascii")
        draft.replace(folder / digest)
    except OSError:
        return


def _is_ours_alone(path: Path, is_kind: Callable[[int], bool]) -> bool:
    found = path.lstat()
    return is_kind(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022


def _bindings() -> list[Path]:
    """Return the module and the shared object of pjsua2 without loading them; nothing where one is not there.

    A wheel keeps the object inside its package, a build of one's own beside its module.
    """
    package = PathFinder.find_spec("pjsua2")
    if package is None or package.origin is None:
        return []
    if package.submodule_search_locations:
        folders = [Path(folder) for folder in package.submodule_search_locations]
        objects = sorted(file for folder in folders for file in folder.glob("_pjsua2*.so"))
    else:
        beside = PathFinder.find_spec("_pjsua2")
        objects = [Path(beside.origin)] if beside is not None and beside.origin else []
    return [Path(package.origin), *objects] if objects else []
