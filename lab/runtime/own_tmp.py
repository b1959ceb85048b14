"""A /tmp of its own for a program that leaves things there.  Pure.

Kamailio's module cdp makes a named pipe /tmp/cdp_send_PID_... for each Diameter peer and removes none of them when it
ends; in a mount namespace they go with the program.  The place is fixed in its source.
"""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

TMP: Final = Path("/tmp")  # noqa: S108 - not a file of ours: Kamailio's place for its pipes
STAGE: Final = "/mnt"
"""Where the new /tmp is put together: every Linux has this folder (FHS 3.0 §3.12), and nobody else sees it."""

_LITTERS: Final = frozenset({"kamailio"})


def litters(argv: Sequence[str]) -> bool:
    """Return whether a program leaves files in /tmp."""
    return Path(argv[0]).name in _LITTERS


def own_tmp(kept: Iterable[Path]) -> str:
    """Return shell commands, joined by ``&&``, that lay an empty /tmp over the machine's in this mount namespace.

    Folders of ``kept`` (absolute) that lie in the machine's /tmp are seen in the new one at the same place.
    ``--no-mtab``, as the machine's list of mounts (/run/mount/utab) has no place for those of a namespace.
    """
    commands = [f"mount -t tmpfs -o mode=1777 tmpfs {STAGE}"]
    for folder in sorted({folder for folder in kept if folder.is_relative_to(TMP)}):
        source, place = shlex.quote(str(folder)), shlex.quote(str(STAGE / folder.relative_to(TMP)))
        commands += [f"mkdir -p {place}", f"mount --bind {source} {place}"]
    return " && ".join([*commands, f"mount --no-mtab --move {STAGE} {TMP}"])
