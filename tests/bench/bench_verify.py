"""``mclab verify`` on 10,000 migrated registrations: seconds, CPU seconds, and the memory of its largest process.

100 users register at the partner in a lab; their capture is multiplied to 10,000 registrations and to a fifth of that,
and judged: the memory of two sizes shows what grows.  Needs root.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from lab.evidence.capture import FINISHED, RAW
from tests.bench.multiplied import multiply

USERS: Final = 100
COPIES: Final = (20, 100)
WANTED_S: Final = 60.0


def main() -> None:
    """Blow once, multiply, judge, and print a table."""
    print("| registrations | capture MB | s | CPU s | largest process, MiB | verdict |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        _mclab("storm", "--users", str(USERS), "--rate", "25", "--migrated", "--directory", str(run))
        original = (run / RAW).rename(run / "original.pcapng")
        for copies in COPIES:
            (run / FINISHED).unlink(missing_ok=True)
            multiply(original, run / RAW, copies)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.monotonic()
            verdict = json.loads(_mclab("verify", str(run), "--json"))["verdict"]
            took_s = time.monotonic() - began
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            megabytes = (run / RAW).stat().st_size / 1e6
            # The largest child so far: sizes are measured from the smaller to the larger.
            memory = after.ru_maxrss / 1024
            print(
                f"| {USERS * copies:,} | {megabytes:.0f} | {took_s:.1f} | {cpu_s:.1f} | {memory:.0f} | {verdict} |",
                flush=True,
            )
    print(f"\nwanted: {USERS * COPIES[-1]:,} in {WANTED_S:g} s at the most")


def _mclab(*arguments: str) -> str:
    argv = [sys.executable, "-P", "-m", "lab.cli", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == 2 or not (done.stdout or done.returncode == 0):
        raise SystemExit(f"mclab {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    main()
