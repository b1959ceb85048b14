"""Migrated against native registration in one run: median of 50 each, alternating, measured in the capture.

One UE with a foot in both networks registers again and again at home (CSCF, proxy, HSS) and at the partner (CSCF,
proxy, CSC-Y, proxy, HSS).  A registration lasts from its first REGISTER to its 200 as the capture has them.
Needs root; brings a lab up and takes it down.  Also prints the time from `up` to the first migrated 200.
Exit 1 when the migrated median is over 1.5 times the native.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.evidence.dissect import dissect
from lab.evidence.facts import RunFacts, load_facts
from lab.supervisor.client import ask

ROUNDS = 50
RATIO_MAX = 1.5
IN_MC2 = {"coordinates": {"latitude": 60.2, "longitude": 25.2}}


def mclab(*arguments: str) -> str:
    """Run one mclab command and return its standard output."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lab.cli", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"mclab {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def ue1(lab: str, command: str, **values: object) -> None:
    """Tell ue1 what to do and wait until it is done."""
    answer = ask(lab, {"command": "ue", "ue": "ue1", "values": {"command": command, **values}})
    if not answer.get("ok") or not answer["answer"].get("ok"):
        raise SystemExit(f"ue1 {command}: {answer}")


def registrations_ms(directory: Path, system: str, facts: RunFacts) -> list[float]:
    """Return how long each registration of the UE in a system took, milliseconds."""
    addresses = {address for ue in facts.ues for address in ue.addresses}
    started: dict[str, float] = {}
    taken: list[float] = []
    for message in dissect(directory / "raw.pcapng").sip:
        ends = (message.frame.source, message.frame.destination)
        if not addresses & set(ends) or all(facts.system_of(end) != system for end in ends):
            continue
        call = message.call_id
        if message.method == "REGISTER":
            started.setdefault(call, message.frame.time_s)
        elif message.status == 200 and message.cseq[1] == "REGISTER" and call in started:
            taken.append((message.frame.time_s - started.pop(call)) * 1000)
    return taken


def main() -> None:
    """Bring a lab up, register, measure, and print one table."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        lab = str(json.loads(mclab("up", "--directory", str(directory), "--json"))["lab"])
        try:
            ue1(lab, "authenticate", system="mc1", flow="password")
            ue1(lab, "get-connection-details", partner="mc2", location=IN_MC2)
            ask(lab, {"command": "attach", "ue": "ue1", "system": "mc2"})
            ue1(lab, "register", system="mc2", expires=600)
            first_s = time.monotonic() - began
            ue1(lab, "register", system="mc1", expires=600)
            for _ in range(ROUNDS):
                for system in ("mc1", "mc2"):
                    ue1(lab, "refresh", system=system)
        finally:
            mclab("down", lab)
        facts = load_facts(directory)
        native, migrated = (registrations_ms(directory, system, facts)[1:] for system in ("mc1", "mc2"))
    print("| registration | n | median ms | p90 ms |\n|---|---|---|---|")
    for name, values in (("native", native), ("migrated", migrated)):
        p90 = statistics.quantiles(values, n=10)[-1]
        print(f"| {name} | {len(values)} | {statistics.median(values):.2f} | {p90:.2f} |")
    ratio = statistics.median(migrated) / statistics.median(native)
    print(f"\nmigrated / native, medians: {ratio:.2f}")
    print(f"from `mclab up` to the first migrated 200: {first_s:.1f} s")
    if ratio > RATIO_MAX:
        sys.exit(f"missed: {ratio:.2f} times the native median, wanted {RATIO_MAX}")


if __name__ == "__main__":
    main()
