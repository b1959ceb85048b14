"""Registration under load, migrated against native in one run: p50 and p99 at 50/s, then the highest rate of each.

200 users register at 50/s at home and then at the partner, figures by the generator; after that the highest rate is
looked for at which nothing fails, nothing is sent again and p99 stays under 100 ms.  Exit 1 when the migrated one is
below 0.7 of the native.  Needs root.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BOTH = ("--native", "--migrated")
RATE_RATIO_MIN = 0.7


def storm(*arguments: str) -> dict[str, Any]:
    """Run one storm and return its result."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-P", "-m", "lab.cli", "storm", *arguments, "--json"]
        done = subprocess.run(
            [*argv, "--directory", str(Path(folder) / "run")], capture_output=True, text=True, check=False
        )
    if not done.stdout:
        raise SystemExit(f"mclab storm: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))


def main() -> None:
    """Blow twice and print two tables."""
    at_50 = storm("--users", "200", "--rate", "50", *BOTH)
    print("| registration at 50/s | ok | p50 ms | p99 ms | 401: p50, p99 | 200: p50, p99 | sent again |")
    print("|---|---|---|---|---|---|---|")
    for side, one in at_50["sides"].items():
        legs = one["legs_ms"]
        pairs = [f"{legs[leg]['p50']}, {legs[leg]['p99']}" for leg in ("challenge", "answer")]
        whole = legs["whole"]
        print(
            f"| {side} | {one['ok']} of {one['wanted']} | {whole['p50']} | {whole['p99']} | {' | '.join(pairs)} "
            f"| {one['retransmissions']} |"
        )
    p50 = {side: one["legs_ms"]["whole"]["p50"] for side, one in at_50["sides"].items()}
    print(f"\nmigrated / native, medians: {p50['migrated'] / p50['native']:.2f}\n")
    highest = storm("--users", "500", "--rate", "25", "--find-rate", "--for", "4", "--timeout", "4", *BOTH)[
        "highest_rate"
    ]
    print("| highest rate with p99 < 100 ms and no failure | registrations/s |\n|---|---|")
    if not highest or not all(highest.values()):
        sys.exit(f"missed: no rate without a failure, from 25/s upwards: {highest}")
    for side, rate in highest.items():
        print(f"| {side} | {rate:.0f} |")
    ratio = highest["migrated"] / highest["native"]
    print(f"\nmigrated / native, highest rates: {ratio:.2f}")
    if ratio < RATE_RATIO_MIN:
        sys.exit(f"missed: {ratio:.2f} of the native rate, wanted {RATE_RATIO_MIN}")


if __name__ == "__main__":
    main()
