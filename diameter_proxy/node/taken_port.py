"""Says why an address cannot be listened on, who holds it, and what mends it (bind(2), proc(5)).

Linux shows the sockets of one's own network namespace in /proc/net/tcp, by inode, and root sees whose they are.  Only
asked after a bind has failed.  It opens no socket and ends no process.
"""

import errno
import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
LISTENING: Final = "0A"  # TCP_LISTEN in /proc/net/tcp
TABLES: Final = ("thread-self/net/tcp", "thread-self/net/tcp6")
COMMAND_MAX: Final = 80  # characters of a command line that are shown


def why_not_bound(address: str, port: int, exc: OSError, proc: Path = PROC) -> str:
    """Return one line: the address, what the kernel said, whose it is where that can be seen, and the mend."""
    where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    said = os.strerror(exc.errno) if exc.errno is not None else str(exc)  # Python's own text repeats the address
    return f"{where}: {said}{_more(address, port, exc.errno, proc)}"


def _more(address: str, port: int, number: int | None, proc: Path) -> str:
    if number == errno.EADDRINUSE:
        return f", by {_owner(address, port, proc)}: end that process, or configure another port"
    if number == errno.EADDRNOTAVAIL:
        return ": no interface of this host or network namespace has this address"
    if number == errno.EACCES and port < 1024:
        return ": a port below 1024 needs root or CAP_NET_BIND_SERVICE"
    return ""


def _owner(address: str, port: int, proc: Path) -> str:
    inodes = {inode for table in TABLES for inode in _listening(proc / table, address, port)}
    for folder in proc.glob("[0-9]*"):
        if any(f"socket:[{inode}]" in _open_files(folder) for inode in inodes):
            return f"process {folder.name} ({_command(folder)})"
    return "a process that only root sees" if inodes else "a socket of this address and port"


def _listening(table: Path, address: str, port: int) -> Iterator[str]:
    """Yield the inodes of the sockets that listen there or at every address of the host."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return
    wanted = ipaddress.ip_address(address)
    for row in rows:
        shown, _, number = row[1].partition(":")
        held = _decode(shown)
        there = held == wanted or held.is_unspecified or wanted.is_unspecified
        if there and row[3] == LISTENING and int(number, 16) == port:
            yield row[9]


def _decode(shown: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an address as the table shows it: words of 32 bits in the byte order of the host."""
    octets = bytes.fromhex(shown)
    if sys.byteorder == "little":
        octets = b"".join(octets[i : i + 4][::-1] for i in range(0, len(octets), 4))
    return ipaddress.ip_address(octets)


def _open_files(folder: Path) -> set[str]:
    """Return where a process's descriptors lead; none where it has gone or is not ours to look at."""
    found = set()
    try:
        for descriptor in (folder / "fd").iterdir():
            found.add(str(descriptor.readlink()))
    except OSError:
        pass
    return found


def _command(folder: Path) -> str:
    try:
        words = (folder / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return "ended meanwhile"
    said = b" ".join(words).decode(errors="replace").strip()
    return "".join(character if character.isprintable() else "?" for character in said)[:COMMAND_MAX] or "?"
