"""Relays against each other on one core: ours plain and compiled, freeDiameter, Erlang diameter, a byte forwarder.

sudo .venv/bin/python -m tests.bench.bench_relays [--quick] [--only NAME,...] [--levels NAME,...]

Interleaved rounds; every answer's identities are checked; medians, ranges and ratios are printed, and the exit code is
1 when a ratio of ``TARGETS`` is missed.  What the figures mean is in docs/performance.md.
Runs in a network namespace of its own that ends with it.
"""

import argparse
import os
import platform
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
from tests.bench.relay_programs import Credentials, Relay, make_credentials

LEVELS: Final = (
    Level("1", outstanding=1),
    Level("64", outstanding=64),
    Level("1024", outstanding=1024),
    Level("64 x 1", outstanding=64, connections=64),
    Level("1,000/s", rate=1_000),
    Level("10,000/s", rate=10_000),
)
RELAYS: Final = (
    "forwarder", "plain", "compiled", "freediameter", "erlang",
    "plain-tls", "compiled-tls", "freediameter-tls",
)  # fmt: skip
TLS_LEVELS: Final = ("64", "1,000/s")
"""What is measured with TLS toward the HSS."""
USERS: Final = 100_000
VISIT_S: Final = 30e-6
"""So long, for each user, is ours loaded before the first level: what it keeps of each user it has made by then."""
HERE: Final = Path(__file__).resolve().parent

OURS: Final = ("ours, plain", "ours, compiled")
PEERS: Final = ("freeDiameter", "Erlang diameter")
RATE_LEVELS: Final = ("1,000/s", "10,000/s")
# level, what is compared with freeDiameter, plain and compiled: so many times more a second, or less CPU, or of its p50
TARGETS: Final = (
    ("64", "cpu_us", 3.5, 9.0),
    ("64", "per_s", 3.5, 5.0),
    ("1024", "per_s", 5.0, 12.0),
    ("64 x 1", "per_s", 3.0, 3.5),
    ("1,000/s", "p50_us", 1 / 0.3, 1 / 0.3),
)

FIGURES: Final = ("per_s", "cpu_us", "p50_us", "p99_us", "late_us")

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
            credentials = make_credentials(folder)
            relays = _relays(arguments.only, folder, feed.url, credentials)
            samples = _measure(arguments, folder, relays, credentials)
        except MeasurementFailed as exc:
            for log in sorted(folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
            sys.exit(f"error: {exc}")
        finally:
            feed.stop()
    print(f"Python {platform.python_version()} of {sys.base_prefix}\n")
    _print(samples)
    missed = _judge(samples)
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    sys.exit(bool(missed))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of two seconds, for trying")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--users", type=int, default=USERS, help="users in the identity map")
    parser.add_argument("--only", type=_words, default=RELAYS, help=",".join(RELAYS))
    parser.add_argument("--levels", type=_words, default=tuple(level.name for level in LEVELS), metavar="NAME;NAME")
    parser.add_argument("--new-users", action="store_true", help="measure users who come by for the first time")
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


def _relays(wanted: tuple[str, ...], folder: Path, feed_url: str, credentials: Credentials) -> list[Relay]:
    diabench = _diabench(folder)
    makers: dict[str, Callable[[Path, Credentials | None], Relay]] = {
        "forwarder": lambda place, files: relay_programs.byte_forwarder(diabench),
        "plain": lambda place, files: relay_programs.ours(place, feed_url, "plain", files),
        "compiled": lambda place, files: relay_programs.ours(place, feed_url, "compiled", files),
        "freediameter": relay_programs.free_diameter,
        "erlang": lambda place, files: relay_programs.erlang(place),
    }
    relays = []
    for name in wanted:
        place = folder / name
        place.mkdir()
        program, _, is_secured = name.partition("-")
        relays.append(makers[program](place, credentials if is_secured else None))
    return relays


def _diabench(folder: Path) -> Path:
    program = folder / "diabench"
    if not program.exists():
        libraries = ["-lssl", "-lcrypto"]
        subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / "diabench.c"), *libraries], check=True)
    return program


def _measure(arguments: argparse.Namespace, folder: Path, relays: list[Relay], credentials: Credentials) -> Samples:
    write_templates(folder / "templates" / "partner", PARTNER)
    write_templates(folder / "templates" / "primary", PRIMARY)
    bench = Bench(_diabench(folder), folder, folder / "templates", arguments.users, credentials)
    levels = [level for level in LEVELS if level.name in arguments.levels]
    samples: Samples = defaultdict(list)
    for number in range(arguments.rounds):
        for relay in relays:
            with bench.running(relay) as processes:
                if relay.maps and not arguments.new_users:
                    bench.measure(relay, processes, Level("visit", outstanding=1024), VISIT_S * arguments.users, 0.0)
                for level in levels if not relay.secured else [one for one in levels if one.name in TLS_LEVELS]:
                    sample = bench.measure(relay, processes, level, arguments.seconds, min(1.0, arguments.seconds / 4))
                    samples[relay.name, level.name].append(sample)
                    print(
                        f"round {number + 1} {relay.name:20} {level.name:>9}: {sample.per_s:9.0f}/s"
                        f" {sample.cpu_us:7.2f} us CPU, p50 {sample.p50_us:.0f} us",
                        file=sys.stderr,
                    )
    return samples


def _print(samples: Samples) -> None:
    print("| relay | level | per second | CPU us | p50 us | p99 us | load late us |\n|---|---|---|---|---|---|---|")
    for (relay, level), rows in samples.items():
        cells = [_cell([getattr(row, name) for row in rows]) for name in FIGURES]
        print(f"| {relay} | {level} | {' | '.join(cells)} |")


def _judge(samples: Samples) -> list[str]:
    """Print each ratio to freeDiameter, and return what misses its target or loses to a peer."""
    missed: list[str] = []
    print("\n| ours | level | compared | times freeDiameter | target |\n|---|---|---|---|---|")
    for level, what, *wanted in TARGETS:
        for ours, target in zip(OURS, wanted, strict=True):
            ratio = _ratio(samples, ours, "freeDiameter", level, what)
            if ratio is not None:
                print(f"| {ours} | {level} | {what} | {ratio:.2f} | {target:.2f} |")
                if ratio < target:
                    missed.append(f"{ours}, {level}: {what} {ratio:.2f} times freeDiameter, wanted {target:.2f}")
    for (relay, level), what in ((key, "p50_us" if key[1] in RATE_LEVELS else "per_s") for key in samples):
        for ours in OURS if relay in PEERS else ():
            ratio = _ratio(samples, ours, relay, level, what)
            if ratio is not None and ratio < 1:
                missed.append(f"{ours}, {level}: {relay} wins, {what} {1 / ratio:.2f} times")
    return missed


def _ratio(samples: Samples, ours: str, theirs: str, level: str, what: str) -> float | None:
    """Return how many times better ours is, from the medians; None where one was not measured."""
    if (ours, level) not in samples or (theirs, level) not in samples:
        return None
    mine, other = (median(getattr(row, what) for row in samples[relay, level]) for relay in (ours, theirs))
    return float(mine / other if what == "per_s" else other / mine)


def _cell(values: list[float]) -> str:
    return f"{median(values):,.4g} ({min(values):,.4g}-{max(values):,.4g})"


if __name__ == "__main__":
    main()
