"""Who holds a port, by a /proc of the test's own and by the kernel's."""

import errno
import os
from pathlib import Path

import pytest

from diameter_proxy.node.taken_port import why_not_bound

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def row(local: str, state: str = "0A", inode: int = 77) -> str:
    return (
        f"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0 100\n"
    )


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "thread-self" / "net").mkdir(parents=True)
    (tmp_path / "4711" / "fd").mkdir(parents=True)
    (tmp_path / "4711" / "cmdline").write_bytes(b"diameter-proxy\0run\0--config\0a\x1b[2Jb.toml\0")
    (tmp_path / "4711" / "fd" / "3").symlink_to("socket:[77]")
    return tmp_path


def listening(proc: Path, *rows: str, table: str = "tcp") -> None:
    (proc / "thread-self" / "net" / table).write_text(HEAD + "".join(rows))


def said(proc: Path, address: str = "127.0.0.1", port: int = 3868, number: int = errno.EADDRINUSE) -> str:
    return why_not_bound(address, port, OSError(number, os.strerror(number)), proc)


HELD = ", by process 4711 (diameter-proxy run --config a?[2Jb.toml): end that process, or configure another port"


@pytest.mark.parametrize("local", ["0100007F:0F1C", "00000000:0F1C"], ids=["this address", "every address"])
def test_the_owner_and_the_mend_are_named(proc, local) -> None:
    listening(proc, row(local))
    assert said(proc) == f"127.0.0.1:3868: Address already in use{HELD}"


def test_an_address_of_version_six(proc) -> None:
    listening(proc, row("00000000000000000000000001000000:0F1C"), table="tcp6")
    assert said(proc, "::1") == f"[::1]:3868: Address already in use{HELD}"


@pytest.mark.parametrize(
    "other",
    [row("0100007F:0F1D"), row("0200007F:0F1C"), row("0100007F:0F1C", state="01")],
    ids=["another port", "another address", "not listening"],
)
def test_another_socket_is_nobody_to_blame(proc, other) -> None:
    listening(proc, other)
    assert "by a socket of this address and port: " in said(proc)


def test_the_process_of_another_user_is_not_seen(proc) -> None:
    listening(proc, row("0100007F:0F1C", inode=78))
    assert "by a process that only root sees: " in said(proc)


def test_a_process_that_has_gone_meanwhile(proc) -> None:
    listening(proc, row("0100007F:0F1C"))
    (proc / "4711" / "cmdline").unlink()
    assert "process 4711 (ended meanwhile)" in said(proc)


@pytest.mark.parametrize(
    ("number", "port", "mend"),
    [
        (errno.EADDRNOTAVAIL, 3868, ": no interface of this host or network namespace has this address"),
        (errno.EACCES, 443, ": a port below 1024 needs root or CAP_NET_BIND_SERVICE"),
        (errno.EACCES, 3868, ""),
    ],
)
def test_other_refusals_of_the_kernel(proc, number, port, mend) -> None:
    assert said(proc, port=port, number=number) == f"127.0.0.1:{port}: {os.strerror(number)}{mend}"
