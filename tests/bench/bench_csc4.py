"""CSC-4 to answer, all thirteen steps of 10.1.X.1, open loop at 50 requests/s: p50 and p99 by status.

Two configuration and two migration management servers as processes on loopback over TLS 1.3, one keep-alive connection
for each UE.  Every request is of another user, so that each allocates a new binding on both sides; the identity
management server's part is a key set that is fetched once.  Requests are sent on time whether answers have come or not,
and latency counts from when a request was due.  Databases are SQLite with synchronous=FULL in a temporary directory.

    python tests/bench/bench_csc4.py [SECONDS] [RATE]
"""

import asyncio
import importlib.util
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import trustme
from joserfc.jwk import KeySet

SECONDS, RATE = 30, 50
HERE = {"coordinates": {"latitude": 60.5, "longitude": 26.5}}
WARM_UP = 25


def processes() -> ModuleType:
    """Return what the integration tests start processes with."""
    path = Path(__file__).parents[1] / "integration/configuration/conftest.py"
    spec = importlib.util.spec_from_file_location("configuration_processes", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Start the four servers, ask, print the figures."""
    seconds, rate = (int(text) for text in (sys.argv[1:] + [str(SECONDS), str(RATE)][len(sys.argv) - 1 :]))
    made = processes()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        launch = stack.enter_context(made._launcher(folder))
        mc1, mc2 = (system_in(made, folder, name) for name in ("mc1", "mc2"))
        users = [f"u{number}" for number in range(WARM_UP + seconds * rate)]
        pids = start(launch, made, mc1, mc2, users)
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        times = asyncio.run(ask_all(mc1, users, rate))
        spent = {name: cpu_s(pid) - before[name] for name, pid in pids.items()}
    show(times, rate, seconds)
    each = ", ".join(f"{name} {seconds_ / len(users) * 1000:.1f} ms" for name, seconds_ in spent.items())
    print(f"  CPU a request: {each}; together {sum(spent.values()) / len(users) * 1000:.1f} ms")


def system_in(made: ModuleType, folder: Path, name: str) -> Any:
    """Return an MC system with files of its own."""
    (folder / name).mkdir()
    system = made.System(name, folder / name, trustme.CA())
    system.ca.cert_pem.write_to_path(system.ca_file)
    system.jwks_file.write_text(json.dumps(KeySet([system.signing_key]).as_dict(private=False)))
    return system


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(launch: Any, made: ModuleType, mc1: Any, mc2: Any, users: list[str]) -> dict[str, int]:
    """Start IdMS, MMSs and CMSs of both systems; primary sets are random.  Return process IDs."""
    pids: dict[str, int] = {}
    launch("idms", "lab.systems.idms", "run", "--config", str(mc1.write_idms(mc2)))
    for system, other, user in ((mc1, mc2, "alice"), (mc2, mc1, "bob")):
        mms = system.write_mms(other, user=user)
        text = mms.read_text()
        begin, end = text.index("[allocation.primary]"), text.index("[allocation.partner]")
        mms.write_text(text[:begin] + '[allocation.primary]\nmode = "random"\n' + text[end:])
        upgrade = [sys.executable, "-m", "mmserver.migration", "upgrade", "--config", str(mms)]
        subprocess.run(upgrade, check=True, capture_output=True)
        name = f"mms-{system.name}"
        pids[name] = launch(name, "mmserver.migration", "run", "--config", str(mms)).popen.pid
        limits = "[limits]\nrequests_per_s = 1000000\nburst = 1000000\n"
        cms = system.write_cms(other, user=user, limits=limits)
        if system is mc1:
            cms.write_text(cms.read_text().replace("[[partners]]", users_table(users) + "[[partners]]", 1))
        name = f"cms-{system.name}"
        pids[name] = launch(name, "mmserver.configuration", "run", "--config", str(cms)).popen.pid
    return pids


def users_table(users: list[str]) -> str:
    """Return the users as tables of cms.toml."""
    return "".join(
        f'[[users]]\nmc_service_id = "sip:{user}@mc1.lab"\nmigration = true\nisims = [{{private_user_identity = '
        f'"{user}@ims.mc1.lab", public_user_identities = ["sip:{user}@ims.mc1.lab"]}}]\n'
        for user in users
    )


async def ask_all(system: Any, users: list[str], rate: int) -> dict[str, list[float]]:
    """Ask for each user at its time; return the seconds from due to answered by status."""
    context = ssl.create_default_context(cafile=system.ca_file)
    url = system.url("cms") + "/csc-4/v1/partner-mc-system-connection-details"
    times: defaultdict[str, list[float]] = defaultdict(list)
    tokens = {user: system.access_token(user) for user in users[: WARM_UP + rate]}
    async with httpx2.AsyncClient(verify=context, timeout=30, limits=httpx2.Limits(max_connections=rate * 4)) as client:

        async def ask(user: str, due: float) -> None:
            token = tokens.pop(user, None) or system.access_token(user)
            body = {
                "location_information": HERE,
                "mc_service_ids": [f"sip:{user}@mc1.lab"],
                "default_identities": {
                    "private_user_identity": f"{user}@ims.mc1.lab",
                    "public_user_identities": [f"sip:{user}@ims.mc1.lab"],
                },
            }
            try:
                answer = await client.post(url, json=body, headers={"Authorization": f"Bearer {token}"})
                outcome = str(answer.status_code)
            except httpx2.HTTPError as exc:
                outcome = type(exc).__name__
            times[outcome].append(time.monotonic() - due)

        for user in users[:WARM_UP]:
            await ask(user, time.monotonic())
        times.clear()
        begun = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, user in enumerate(users[WARM_UP:]):
                due = begun + number / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(ask(user, due))
    return times


def show(times: dict[str, list[float]], rate: int, seconds: int) -> None:
    """Print the figures: a refusal costs less than an answer, and says nothing of it."""
    print(f"CSC-4 to answer, 13 steps, open loop {rate}/s for {seconds} s, 4 servers on this machine")
    for status, those in sorted(times.items()):
        p50, p99 = (statistics.quantiles(those, n=100)[mark] if len(those) > 1 else those[0] for mark in (49, 98))
        print(f"  {len(those):5} x {status}   p50 {p50 * 1000:7.1f} ms   p99 {p99 * 1000:7.1f} ms")


if __name__ == "__main__":
    main()
