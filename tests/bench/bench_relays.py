"""Relays against each other on one core: ours plain and compiled, freeDiameter, Erlang diameter, a byte forwarder.

sudo .venv/bin/python -m tests.bench.bench_relays [--quick] [--only NAME,...] [--levels NAME,...]

Interleaved rounds; every answer's identities are checked; medians, ranges and ratios are printed.
Runs in a network namespace of its own that ends with it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench import relay_programs
from tests.bench.cx_templates import PARTNER, PRIMARY, write_templates
from tests.bench.lent_feed import LentFeed
from tests.bench.measuring import Bench, Level, MeasurementFailed, Sample
from tests.bench.relay_programs import Relay

LEVELS: Final = (
    Level("1", outstanding=1),
    Level("64", outstanding=64),
    Level("1024", outstanding=1024),
    Level("64 x 1", outstanding=64, connections=64),
    Level("1,000/s", rate=1_000),
    Level("10,000/s", rate=10_000),
)
RELAYS: Final = ("forwarder", "plain", "compiled", "freediameter", "erlang")
USERS: Final = 100_000
HERE: Final = Path(__file__).resolve().parent

Samples = dict[tuple[str, str], list[Sample]]


def main() -> None:
    """Measure, print, and judge."""
    arguments = _arguments()
    if os.environ.get("MC_BENCH_NAMESPACE") != "own":
        _enter_own_namespace()
    with tempfile.TemporaryDirectory(prefix="bench-relays-") as name:
        folder = Path(name)
        feed = LentFeed(arguments.users, role="partner", system="primary")
        try:
            samples = _measure(arguments, folder, _relays(arguments.only, folder, feed.url))
        except MeasurementFailed as exc:
            for log in sorted(folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
            sys.exit(f"error: {exc}")
        finally:
            feed.stop()
    _print(samples)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of two seconds, for trying")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--users", type=int, default=USERS, help="users in the identity map")
    parser.add_argument("--only", type=_words, default=RELAYS, help=",".join(RELAYS))
    parser.add_argument("--levels", type=_words, default=tuple(level.name for level in LEVELS), metavar="NAME;NAME")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.rounds, arguments.seconds = 1, 2.0
    return arguments


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(";" if ";" in text else ","))


def _enter_own_namespace() -> None:
    """Begin anew where no packet leaves the process: loopback, and an address that is none (freeDiameter wants one)."""
    up = (
        "ip link set lo up && ip link add bench0 type veth peer name bench1 && ip addr add 192.0.2.9/24 dev bench0"
        ' && ip link set bench0 up && ip link set bench1 up && exec "$@"'
    )
    command = ["unshare", "--net", "sh", "-c", up, "sh", sys.executable, "-m", "tests.bench.bench_relays"]
    os.execvpe("unshare", command + sys.argv[1:], {**os.environ, "MC_BENCH_NAMESPACE": "own"})


def _relays(wanted: tuple[str, ...], folder: Path, feed_url: str) -> list[Relay]:
    diabench = _diabench(folder)
    makers: dict[str, Callable[[Path], Relay]] = {
        "forwarder": lambda place: relay_programs.byte_forwarder(diabench),
        "plain": lambda place: relay_programs.ours(place, feed_url, "plain"),
        "compiled": lambda place: relay_programs.ours(place, feed_url, "compiled"),
        "freediameter": relay_programs.free_diameter,
        "erlang": relay_programs.erlang,
    }
    relays = []
    for name in wanted:
        place = folder / name
        place.mkdir()
        relays.append(makers[name](place))
    return relays


def _diabench(folder: Path) -> Path:
    program = folder / "diabench"
    if not program.exists():
        subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "diabench.c")], check=True)
    return program


def _measure(arguments: argparse.Namespace, folder: Path, relays: list[Relay]) -> Samples:
    write_templates(folder / "templates" / "partner", PARTNER)
    write_templates(folder / "templates" / "primary", PRIMARY)
    bench = Bench(_diabench(folder), folder, folder / "templates", arguments.users)
    levels = [level for level in LEVELS if level.name in arguments.levels]
    samples: Samples = defaultdict(list)
    for number in range(arguments.rounds):
        for relay in relays:
            with bench.running(relay) as processes:
                for level in levels:
                    sample = bench.measure(relay, processes, level, arguments.seconds, min(1.0, arguments.seconds / 4))
                    samples[relay.name, level.name].append(sample)
                    print(
                        f"round {number + 1} {relay.name:20} {level.name:>9}: {sample.per_s:9.0f}/s"
                        f" {sample.cpu_us:7.2f} us CPU, p50 {sample.p50_us:.0f} us",
                        file=sys.stderr,
                    )
    return samples


def _print(samples: Samples) -> None:
    print("| relay | level | per second | CPU us | p50 us | p99 us |\n|---|---|---|---|---|---|")
    for (relay, level), rows in samples.items():
        cells = [_cell([getattr(row, name) for row in rows]) for name in ("per_s", "cpu_us", "p50_us", "p99_us")]
        print(f"| {relay} | {level} | {' | '.join(cells)} |")


def _cell(values: list[float]) -> str:
    return f"{median(values):,.4g} ({min(values):,.4g}-{max(values):,.4g})"


if __name__ == "__main__":
    main()
