"""What labs leave on this machine while they live, to be compared before and after (``mclab run --check-clean``)."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from lab.render.files import SOCKETS
from lab.runtime.engine import containers_of
from lab.runtime.marks import MARK, NETNS_FOLDER, PREFIX, disks_of

NETWORK_INTERFACES: Final = Path("/sys/class/net")
ETC_FILES: Final = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/hostname")


@dataclass(frozen=True, slots=True)
class Traces:
    """Names of what is there."""

    namespaces: frozenset[str]
    containers: frozenset[str]
    processes: frozenset[str]
    mounts: frozenset[str]
    interfaces: frozenset[str]
    files: frozenset[str]


def look(lab_id: str, interfaces: frozenset[str]) -> Traces:
    """Return what one lab, and what no lab may touch, has on this machine now.

    Of the machine's own interfaces only those with a name that a lab gives (``interfaces``) count: containers, virtual
    machines and VPNs of others come and go meanwhile.
    """
    return Traces(
        namespaces=frozenset(name for name in _names(NETNS_FOLDER) if _is_of(lab_id, name)),
        containers=frozenset(containers_of(lab_id)),
        processes=frozenset(_marked_processes(lab_id)),
        mounts=frozenset(_mounts(lab_id)),
        interfaces=_names(NETWORK_INTERFACES) & interfaces,
        files=frozenset(name for name in _names(SOCKETS) if name == lab_id) | _names(Path("/etc/netns")) | _etc(),
    )


def left_behind(before: Traces, after: Traces) -> list[str]:
    """Return one line for each thing that is there now and was not before, or has changed."""
    lines = []
    for field in fields(Traces):
        new = getattr(after, field.name) - getattr(before, field.name)
        lines += [f"{field.name}: {name}" for name in sorted(new)]
    return lines


def processes_of_lab(lab_id: str) -> list[int]:
    """Return the processes that carry a lab's mark, in whatever namespace."""
    return [int(line.split()[0]) for line in _marked_processes(lab_id)]


def _names(folder: Path) -> frozenset[str]:
    return frozenset(file.name for file in folder.iterdir()) if folder.is_dir() else frozenset()


def _is_of(lab_id: str, name: str) -> bool:
    return name.startswith(f"{PREFIX}-{lab_id}-")


def _marked_processes(lab_id: str) -> list[str]:
    mark = f"{MARK}={lab_id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            if any(setting.startswith(mark) for setting in (entry / "environ").read_bytes().split(b"\0")):
                found.append(f"{entry.name} {(entry / 'comm').read_text().strip()}")
        except OSError:
            continue  # it has ended, or is a kernel thread
    return sorted(found)


def _mounts(lab_id: str) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    places = [line.split()[1] for line in lines]
    return [*(place for place in places if _is_of(lab_id, Path(place).name)), *disks_of(lab_id)]


def _etc() -> frozenset[str]:
    states = []
    for name in ETC_FILES:
        file = Path(name)
        if file.exists():
            states.append(f"{name} as of {file.stat().st_mtime_ns}")
    return frozenset(states)
