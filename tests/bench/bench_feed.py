"""A proxy is started against a real MMS with many bindings: seconds until its map is whole, and memory per binding.

python tests/bench/bench_feed.py [BINDINGS ...]        1000 and 1000000 when none are named
Both are processes, over HTTPS with certificates on both sides, on an SQLite store filled by ``bulk_bindings``.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme
from bulk_bindings import HOME, fill

from diameter_proxy.admin import AdminError, ask

DEADLINE_S = 900.0
MMS = """
[system]
name = "mc2"
identifier = "mms.mc2.lab"
home_domain = "{home}"
[http]
address = "127.0.0.1"
port = 0
clients.csc_x = ["cms.mc2.lab"]
clients.feed = ["proxy1.mc2.lab"]
client_ca = "ca.pem"
[tls]
certificate = "mms.pem"
private_key = "mms.key"
[diameter]
origin_host = "mms.mc2.lab"
origin_realm = "{home}"
address = "127.0.0.1"
port = 0
peers = ["proxy1.mc2.lab"]
scscf = ["sip:scscf.mc2.lab:6060"]
[store]
url = "sqlite+aiosqlite:///{folder}/mms.sqlite"
[[partners]]
name = "mc1"
realms = ["ims.mc1.lab"]
migration_management_servers = ["mms.mc1.lab"]
[[partners]]
name = "mc3"
realms = ["ims.mc3.lab"]
migration_management_servers = ["mms.mc3.lab"]
"""
PROXY = """
[node]
origin_host = "proxy1.mc2.lab"
origin_realm = "{home}"
system = "mc2"
[[listeners]]
address = "127.0.0.1"
port = 0
[[peers]]
host = "scscf.mc2.lab"
realm = "{home}"
group = "cscf"
[feed]
url = "https://127.0.0.1:{port}"
ca = "ca.pem"
[hss]
server_name = "sip:scscf.mc2.lab:6060"
[tls]
certificate = "proxy1.pem"
private_key = "proxy1.key"
[admin]
socket = "admin.sock"
"""


def measure(bindings: int, folder: Path) -> None:
    """Fill a store, start an MMS and then a proxy, and print how long the proxy took."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("mms", "proxy1"):
        leaf = authority.issue_cert(f"{name}.mc2.lab", "127.0.0.1")
        leaf.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
    (folder / "mms.toml").write_text(MMS.format(folder=folder, home=HOME))
    migration = [sys.executable, "-m", "mmserver.cli", "migration"]
    subprocess.run([*migration, "upgrade", "--config", str(folder / "mms.toml")], check=True, capture_output=True)
    fill(folder / "mms.sqlite", bindings)
    with running([*migration, "run", "--config", str(folder / "mms.toml")]) as mms:
        port = mms["listen"][0].rpartition(":")[2]
        (folder / "proxy.toml").write_text(PROXY.format(home=HOME, port=port))
        began = time.monotonic()
        with running([sys.executable, "-m", "diameter_proxy.cli", "run", "--config", str(folder / "proxy.toml")]) as it:
            until_complete(folder / "admin.sock", bindings)
            took_s = time.monotonic() - began
            proxy_octets, mms_octets = resident_octets(it["pid"]), resident_octets(mms["pid"])
            cpu = f"processor time: proxy {processor_s(it['pid']):.1f} s, MMS {processor_s(mms['pid']):.1f} s"
            print(
                f"{bindings:>9,} bindings: map whole after {took_s:.2f} s; resident: proxy {proxy_octets >> 20} MiB "
                f"({proxy_octets / max(bindings, 1):.0f} octets a binding in all), MMS {mms_octets >> 20} MiB; {cpu}",
                flush=True,
            )


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[dict[str, Any]]:
    """Run a program from its ready line on; yield what that says, and the process id."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                log.seek(0)
                raise SystemExit(f"{command[2]} did not start: {log.read().decode()}")
            yield {**json.loads(line), "pid": process.pid}
        finally:
            process.terminate()
            process.wait(30)


def until_complete(socket: Path, bindings: int) -> None:
    """Wait until the proxy says that its map is whole."""
    due = time.monotonic() + DEADLINE_S
    while time.monotonic() < due:
        with contextlib.suppress(AdminError):
            found = ask(socket, "map")
            if found["age_s"] is not None and found["bindings"] == bindings:
                return
        time.sleep(0.02)
    raise SystemExit(f"not complete after {DEADLINE_S:.0f} s")


def resident_octets(pid: int) -> int:
    """Return what a process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def processor_s(pid: int) -> float:
    """Return the processor time of a process, both programs' starts included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    for number in [int(text) for text in sys.argv[1:]] or [1_000, 1_000_000]:
        with tempfile.TemporaryDirectory() as name:
            measure(number, Path(name))
