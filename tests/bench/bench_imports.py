"""Import time of each program: what `run` loads before its first line, the median of several fresh interpreters.

CPU time, not time on the clock: other work on the machine counts less.  Asyncio, ssl and structlog, which every
program has, are measured on a line of their own and left out of the others.
"""

import statistics
import subprocess
import sys

# fmt: off
PROGRAMS = {                            # modules that `run` loads, and the budget of the design in seconds
    "mmserver migration":     ("mmserver.migration.cli, mmserver.migration.service", 0.5),
    "mmserver configuration": ("mmserver.configuration.server", 0.4),
    "identity management":    ("lab.systems.idms.server", 0.4),
    "diameter-proxy":         ("diameter_proxy.config, diameter_proxy.server", 0.2),
    "HSS simulator":          ("lab.systems.hss.program", 0.1),
    "ue-agent":               ("ue_agent.control", 0.3),
    "mclab run":              ("lab.commands.runs", 0.2),
    "supervisor":             ("lab.supervisor.__main__", 0.3),
}
# fmt: on
RUNS = 7
SHARED = "import asyncio, ssl, structlog"
SCRIPT = """
import time
from mmserver.quick_imports import quick_imports
with quick_imports():
    began = time.process_time()
    {shared}
    shared = time.process_time()
    {own}
print(shared - began, time.process_time() - shared)
"""


def import_s(modules: str) -> tuple[float, float]:
    """Return the CPU seconds of what every program loads, and of ``modules`` after it."""
    script = SCRIPT.format(shared=SHARED, own=f"import {modules}")
    command = [sys.executable, "-P", "-c", script]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(RUNS)]
    shared, own = zip(*((float(first), float(second)) for first, second in runs), strict=True)
    return statistics.median(shared), statistics.median(own)


def main() -> None:
    """Print one line for each program."""
    measured = {name: import_s(modules) for name, (modules, _) in PROGRAMS.items()}
    print("| program | import, CPU s | budget s |\n|---|---|---|")
    for name, (_, own_s) in measured.items():
        print(f"| {name} | {own_s:.2f} | {PROGRAMS[name][1]} |")
    print(f"\nasyncio, ssl and structlog before it: {statistics.median(s for s, _ in measured.values()):.2f} s each")


if __name__ == "__main__":
    main()
