"""How long a lab of two systems takes to come up and to go down, in both runtimes; the median of several rounds.

`up`: from the command to its end, when every program is ready; `down` likewise, with the capture closed.
Images are built before the clock starts.  Needs root; containers need podman.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROUNDS: Final = 3
RUNTIMES: Final = ("netns", "containers")


def mclab(*arguments: str) -> tuple[float, str]:
    """Run one mclab command; return how long it took and what it printed."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "lab.cli", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"mclab {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
    return time.monotonic() - began, done.stdout


def one_round(runtime: str) -> tuple[float, float, float]:
    """Return the seconds of `up`, of its network alone, and of `down`."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "run"
        up_s, said = mclab("up", "--runtime", runtime, "--directory", str(directory), "--json")
        down_s, _ = mclab("down", str(json.loads(said)["lab"]))
        events = [json.loads(line) for line in (directory / "timeline.jsonl").read_text().splitlines()]
    network_s = next(float(event["after_s"]) for event in events if event["event"] == "hosts.made")
    return up_s, network_s, down_s


def main() -> None:
    """Measure each runtime in turn and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    there = [one for one in RUNTIMES if one == "netns" or shutil.which("podman")]
    if "containers" in there:
        from lab.runtime.images import make_images

        make_images(lambda line: print(line, file=sys.stderr))
    taken = {runtime: [one_round(runtime) for _ in range(rounds)] for runtime in there}
    print("| runtime | up, s | of it the network, s | down, s |\n|---|---|---|---|")
    for runtime, samples in taken.items():
        up_s, network_s, down_s = (statistics.median(values) for values in zip(*samples, strict=True))
        print(f"| {runtime} | {up_s:.1f} | {network_s:.1f} | {down_s:.1f} |")
    for runtime in RUNTIMES:
        if runtime not in there:
            print(f"| {runtime} | podman is not installed (make set-up-containers) | | |")
    print(f"\nmedian of {rounds}, load average {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
