"""A soak of two proxies: migrated users' MARs over CSC-Y, while an HSS is killed and the configuration reloaded.

    S-CSCF (load) -- proxy of the partner == TLS == proxy of the primary -- HSS 1, HSS 2

Every ``--restart-every`` seconds one of the two HSSs, by turns, is killed (SIGKILL) and started again; every
``--reload-every`` seconds both proxies read a changed file again.  It ends with 1 if a request had no answer, if
an answer had another identity or a code other than 2001 or 3xxx, or if a proxy's memory grew.  No more than
``OUTSTANDING_MAX`` requests are under way: what the machine does not carry is held back and counted.

    python -m tests.bench.soak --for 1200 --rate 5000
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import trustme

from lab.render.toml import format_toml
from tests.bench.cx_templates import CLIENT_HOST, CLIENT_REALM, HSS_REALM, PARTNER
from tests.bench.lent_feed import LentFeed
from tests.bench.soak_load import Load, percentile
from tests.free_ports import free_port

ROOT: Final = Path(__file__).resolve().parents[2]
PARTNER_PROXY: Final = "proxy.proxy.example.org"
PRIMARY_PROXY: Final = "proxy.hss.example.org"
PARTNER_REALM: Final = "proxy.example.org"
HSSS: Final = ("hss1.hss.example.org", "hss2.hss.example.org")
USERS: Final = 10_000
OUTSTANDING_MAX: Final = 500
READY_S: Final = 60.0
GROWTH_SHARE: Final = 0.05
GROWTH_MIB: Final = 8.0
RELOAD_S: Final = 1.0
"""So long before the end comes the last reload at the latest."""
LOGGED_MAX: Final = 20
"""So many lines of the proxies' logs of errors are shown."""


class Sample(NamedTuple):
    """Resident memory of both proxies at a time, in MiB."""

    at_s: float
    partner: float
    primary: float


class Soak:
    """The processes of one soak."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.restarts = self.reloads = 0
        self.samples: list[Sample] = []
        self._ports = {host: free_port() for host in (PARTNER_PROXY, PRIMARY_PROXY, *HSSS)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._feeds = {
            PARTNER_PROXY: LentFeed(USERS, role="partner", system="primary"),
            PRIMARY_PROXY: LentFeed(USERS, role="primary", system="partner"),
        }
        self._authority = trustme.CA()
        self._authority.cert_pem.write_to_path(str(folder / "ca.pem"))

    def start(self) -> None:
        """Start HSSs and proxies; the proxies are ready when this returns."""
        for host in HSSS:
            self._start_hss(host)
        for host in (PRIMARY_PROXY, PARTNER_PROXY):
            leaf = self._authority.issue_cert(host)
            leaf.cert_chain_pems[0].write_to_path(str(self.folder / f"{host}.pem"))
            leaf.private_key_pem.write_to_path(str(self.folder / f"{host}.key"))
            self._write(host)
            command = [sys.executable, "-P", "-m", "diameter_proxy.cli", "run", "--log-level", "error"]
            self._start(host, [*command, "--config", str(self._file(host))], subprocess.PIPE)
        for host in (PRIMARY_PROXY, PARTNER_PROXY):
            self._await_ready(host)

    def stop(self) -> None:
        """End everything."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        for feed in self._feeds.values():
            feed.stop()

    def load(self, rate: float) -> Load:
        """Return the load, not yet begun."""
        return Load(PARTNER_PROXY, self._ports[PARTNER_PROXY], USERS, rate, OUTSTANDING_MAX)

    async def restart_by_turns(self, every_s: float) -> None:
        """Kill one HSS and start it again, by turns, for ever."""
        while True:
            await asyncio.sleep(every_s)
            host = HSSS[self.restarts % len(HSSS)]
            self._processes[host].kill()
            await asyncio.to_thread(self._processes[host].wait)
            self._start_hss(host)
            self.restarts += 1

    async def reload_again(self, every_s: float, for_s: float) -> None:
        """Have both proxies read a changed file: a peer more, a peer less; a proxy that ends rightly refuses one."""
        for _ in range(int((for_s - RELOAD_S) // every_s)):
            await asyncio.sleep(every_s)
            self.reloads += 1
            for host in self._feeds:
                self._write(host, has_another_peer=self.reloads % 2 == 1)
                self._processes[host].send_signal(signal.SIGHUP)

    async def sample(self, every_s: float) -> None:
        """Take down the memory of both proxies, for ever."""
        began = time.monotonic()
        while True:
            at_s = time.monotonic() - began
            self.samples.append(Sample(at_s, *(_resident_mib(self._processes[host].pid) for host in self._feeds)))
            await asyncio.sleep(every_s)

    def ended(self) -> list[str]:
        """Return the proxies that have ended, which they must not."""
        return [host for host in self._feeds if self._processes[host].poll() is not None]

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time of each proxy."""
        return {host: _cpu_s(self._processes[host].pid) for host in self._feeds}

    def _start_hss(self, host: str) -> None:
        command = [sys.executable, "-m", "tests.bench.soak_hss", host, str(self._ports[host]), PRIMARY_PROXY]
        self._start(host, command, subprocess.DEVNULL)

    def _start(self, host: str, command: list[str], stdout: int) -> None:
        with (self.folder / f"{host}.log").open("ab") as log:
            self._processes[host] = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=stdout, stderr=log
            )

    def _await_ready(self, host: str) -> None:
        process = self._processes[host]
        assert process.stdout is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            line = process.stdout.readline()
            if not line:
                break
            if json.loads(line).get("event") == "ready":
                return
        raise RuntimeError(f"{host} did not get ready: {self._log(host)}")

    def _log(self, host: str) -> str:
        return (self.folder / f"{host}.log").read_text(errors="replace")[-2000:]

    def _file(self, host: str) -> Path:
        return self.folder / f"{host}.toml"

    def _write(self, host: str, *, has_another_peer: bool = False) -> None:
        """Write the file of a proxy; it is exchanged as a whole."""
        table = self._partner_table() if host == PARTNER_PROXY else self._primary_table()
        if has_another_peer:
            table["peers"].append({"host": "another.example.org", "realm": "example.org", "group": "agent"})
        new = self.folder / f"{host}.new"
        new.write_text(format_toml(table))
        new.rename(self._file(host))

    def _table(
        self, host: str, realm: str, system: str, *, secured: bool, peers: list[dict[str, Any]]
    ) -> dict[str, Any]:
        return {
            "node": {"origin_host": host, "origin_realm": realm, "system": system, "reconnect_max_s": 0.25},
            "listeners": [{"address": "127.0.0.1", "port": self._ports[host], "tls": secured}],
            "tls": {"certificate": str(self.folder / f"{host}.pem"), "private_key": str(self.folder / f"{host}.key")},
            "feed": {"url": self._feeds[host].url, "lent_prefix": "mig-", "lent_domain": PARTNER[1]},
            "hss": {"server_name": f"sip:scscf.{realm}:6060"},
            "peers": peers,
        }

    def _partner_table(self) -> dict[str, Any]:
        peers = [
            {"host": CLIENT_HOST, "realm": CLIENT_REALM, "group": "cscf"},
            {"host": "own-hss.hss.example.org", "realm": HSS_REALM, "group": "hss"},
            {**self._secured(PRIMARY_PROXY, HSS_REALM, "primary"), **self._connected(PRIMARY_PROXY)},
        ]
        return self._table(PARTNER_PROXY, PARTNER_REALM, "partner", secured=False, peers=peers)

    def _primary_table(self) -> dict[str, Any]:
        peers = [
            self._secured(PARTNER_PROXY, PARTNER_REALM, "partner"),
            *({"host": host, "realm": HSS_REALM, "group": "hss", **self._connected(host)} for host in HSSS),
        ]
        return self._table(PRIMARY_PROXY, HSS_REALM, "primary", secured=True, peers=peers)

    def _connected(self, host: str) -> dict[str, Any]:
        return {"connect": True, "address": "127.0.0.1", "port": self._ports[host]}

    def _secured(self, host: str, realm: str, system: str) -> dict[str, Any]:
        ca = str(self.folder / "ca.pem")
        return {"host": host, "realm": realm, "group": "partner", "system": system, "tls": True, "ca": ca}


def growth_mib(samples: list[Sample]) -> tuple[float, float]:
    """Return by how much each proxy grew from the second quarter of the run to the last: memory is full by then."""
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter] or samples[:1], samples[-quarter:]
    before, after = ([_median([one[index] for one in part]) for index in (1, 2)] for part in (early, late))
    return after[0] - before[0], after[1] - before[1]


def is_flat(samples: list[Sample]) -> bool:
    """Say whether neither proxy grew by more than a twentieth and some MiB."""
    return all(
        grown <= max(GROWTH_MIB, GROWTH_SHARE * samples[-1][index])
        for index, grown in enumerate(growth_mib(samples), 1)
    )


async def soak(folder: Path, *, for_s: float, rate: float, restart_s: float, reload_s: float) -> dict[str, Any]:
    """Run it and return what was seen."""
    run = Soak(folder)
    try:
        await asyncio.to_thread(run.start)
        load = run.load(rate)
        await load.node.start()
        await _until(lambda: load.node.is_ready(PARTNER_PROXY))
        chores = (run.restart_by_turns(restart_s), run.reload_again(reload_s, for_s), run.sample(min(5.0, for_s / 16)))
        tasks = [asyncio.create_task(chore) for chore in chores]
        cpu, began = run.cpu_s(), time.monotonic()
        await load.run(for_s)
        elapsed = time.monotonic() - began
        for task in tasks:
            task.cancel()
        failures = [result for result in await asyncio.gather(*tasks, return_exceptions=True)
                    if isinstance(result, Exception)]  # fmt: skip
        answered = load.codes.total()
        seen = {
            "seconds": round(elapsed, 1),
            "wanted_per_s": rate,
            "answered_per_s": round(answered / elapsed, 1),
            "sent": load.sent,
            "held_back": load.unsent,
            "answers": dict(sorted(load.codes.items())),
            "unanswered": load.unanswered,
            "faults": len(load.faults),
            "restarts": run.restarts,
            "reloads": run.reloads,
            "latency_ms": {f"p{share * 100:g}": percentile(load.latencies_ms, share) for share in (0.5, 0.99, 0.999)},
            "cpu_us": {host: round((now - cpu[host]) / max(1, answered) * 1e6, 1) for host, now in run.cpu_s().items()},
            "memory_mib": [" ".join(f"{value:.1f}" for value in sample) for sample in _spread(run.samples)],
            "grown_mib": [round(value, 1) for value in growth_mib(run.samples)],
            "ended": run.ended(),
            "errors": [str(failure) for failure in failures],
        }
        await load.node.stop(deadline_s=0.5)
    finally:
        await asyncio.to_thread(run.stop)
    logs = [(folder / f"{host}.log").read_text() for host in (PARTNER_PROXY, PRIMARY_PROXY)]
    seen["logged_errors"] = [line for log in logs for line in log.splitlines()][:LOGGED_MAX]
    wrong = (seen["unanswered"], seen["faults"], seen["ended"], seen["errors"], seen["logged_errors"], not answered)
    return {**seen, "passed": not any(wrong) and is_flat(run.samples)}


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--for", dest="for_s", type=float, default=1200.0, help="seconds")
    parser.add_argument("--rate", type=float, default=5000.0, help="requests a second")
    parser.add_argument("--restart-every", type=float, default=20.0, help="seconds")
    parser.add_argument("--reload-every", type=float, default=30.0, help="seconds")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        seen = asyncio.run(
            soak(
                Path(folder),
                for_s=asked.for_s,
                rate=asked.rate,
                restart_s=asked.restart_every,
                reload_s=asked.reload_every,
            )
        )
    print(json.dumps(seen, indent=2))
    return 0 if seen["passed"] else 1


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(READY_S):
        while not is_so():  # noqa: ASYNC110 - the node tells events, not states
            await asyncio.sleep(0.02)


def _spread(samples: list[Sample]) -> list[Sample]:
    step = max(1, len(samples) // 10)
    return [*samples[::step], *samples[-1:]]


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _resident_mib(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
