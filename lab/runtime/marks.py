"""By what a lab is found on this machine: the names of its namespaces, and a variable in its programs' environment."""

import re
from pathlib import Path
from typing import Final

PREFIX: Final = "mclab"
MARK: Final = "MCLAB_ID"
"""Environment variable that every program of a lab carries, to be found by."""

NETNS_FOLDER: Final = Path("/run/netns")
LAB_ID: Final = re.compile(r"[0-9a-f]{4}")


def namespaces_of(lab_id: str) -> list[str]:
    """Return the namespaces of a lab that are there."""
    if not NETNS_FOLDER.is_dir():
        return []
    return sorted(file.name for file in NETNS_FOLDER.glob(f"{PREFIX}-{lab_id}-*"))


def lab_ids() -> list[str]:
    """Return the labs that have namespaces here."""
    names = (name.split("-") for name in namespaces_of("*"))
    return sorted({parts[1] for parts in names if len(parts) > 2 and LAB_ID.fullmatch(parts[1])})


def processes_of(lab_id: str) -> list[int]:
    """Return what runs in a lab's namespaces (as ``ip netns pids``, for all of them in one look)."""
    inside = {(NETNS_FOLDER / name).stat().st_ino for name in namespaces_of(lab_id)}
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and _network_of(entry) in inside:
            found.append(int(entry.name))
    return sorted(found)


def disk_name(lab_id: str) -> str:
    """Return the name of a lab's small file systems, the first word of their line in ``/proc/self/mounts``."""
    return f"{PREFIX}-{lab_id}-disk"


def disks_of(lab_id: str, mounts: Path = Path("/proc/self/mounts")) -> list[str]:
    """Return where a lab's small file systems are mounted."""
    lines = (line.split() for line in mounts.read_text().splitlines())
    return [words[1].replace("\\040", " ") for words in lines if words[0] == disk_name(lab_id)]


def programs_in(namespace: str) -> list[int]:
    """Return the programs that run in one namespace: what carries a lab's mark, errands not."""
    try:
        inside = (NETNS_FOLDER / namespace).stat().st_ino
    except OSError:
        return []
    numbers = (entry for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return sorted(int(entry.name) for entry in numbers if _network_of(entry) == inside and _is_marked(entry))


def _is_marked(process: Path) -> bool:
    try:
        settings = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False  # it has ended
    return any(setting.startswith(f"{MARK}=".encode()) for setting in settings)


def _network_of(process: Path) -> int | None:
    try:
        return (process / "ns" / "net").stat().st_ino
    except OSError:
        return None  # it has ended
