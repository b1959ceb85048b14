"""Fuzz one target for some time with atheris (coverage) or with hypothesis (structure).

    python -m tests.fuzz.run atheris wire --for 600
    python -m tests.fuzz.run hypothesis mapping --for 600
    python -m tests.fuzz.run again mapping FILE
    python -m tests.fuzz.run seeds

atheris begins with ``tests/fuzz/corpus``, adds what it finds to ``.fuzz/corpus``, and leaves what went wrong in
``.fuzz``; a run over ``TIMEOUT_S`` or over ``MEMORY_MIB`` went wrong too.  hypothesis leaves the simplest input that it
makes of one that goes wrong there.
"""

import argparse
import hashlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CORPUS: Final = HERE / "corpus"
FOUND: Final = HERE.parents[1] / ".fuzz"
MEMORY_MIB: Final = 1024
TIMEOUT_S: Final = 10
OCTETS_MAX: Final = 4096
ROUND: Final = 100
"""Inputs between two looks at the clock: a busy machine needs minutes for a thousand."""
TOLD_EVERY_S: Final = 30.0


class TookTooLong(BaseException):
    """One input took ``TIMEOUT_S`` of processor time; no Exception, so that nobody catches it or tries smaller ones."""


def with_atheris(target: str, for_s: int) -> None:
    """Fuzz by coverage; libFuzzer ends the process."""
    os.environ["MC_HOT_PATH"] = "plain"  # what is compiled shows no coverage
    import atheris

    with atheris.instrument_imports(include=["diameter_proxy", "mmserver"]):
        from tests.fuzz import targets
    targets.quiet()
    found = FOUND / "corpus" / target
    found.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_total_time={for_s}", f"-rss_limit_mb={MEMORY_MIB}", f"-timeout={TIMEOUT_S}"]
    where = [f"-artifact_prefix={FOUND}/{target}-", str(found), str(CORPUS / target)]
    argv = [sys.argv[0], *limits, f"-max_len={OCTETS_MAX}", "-print_final_stats=1", *where]
    atheris.Setup(argv, targets.TARGETS[target])
    atheris.Fuzz()


def with_hypothesis(target: str, for_s: int) -> int:
    """Fuzz by changes of good inputs, round after round with another seed; return how many runs there were."""
    from hypothesis import HealthCheck, Phase, given, settings

    from tests.fuzz import targets
    from tests.fuzz.changes import changed

    targets.quiet()
    signal.signal(signal.SIGVTALRM, _took_too_long)
    runs, failing = 0, b""

    @settings(
        max_examples=ROUND,
        deadline=None,
        derandomize=False,
        database=None,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(changed(target))
    def once(octets: bytes) -> None:
        nonlocal runs, failing
        runs += 1
        signal.setitimer(signal.ITIMER_VIRTUAL, TIMEOUT_S)
        try:
            targets.TARGETS[target](octets)
        except (Exception, TookTooLong):
            failing = octets
            raise
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    began = told = time.monotonic()
    while time.monotonic() < began + for_s:
        try:
            once()
        except (Exception, TookTooLong):
            _keep(target, failing)
            raise
        if time.monotonic() >= told + TOLD_EVERY_S:
            told = time.monotonic()
            print(f"{target}: {runs} runs in {told - began:.0f} s, nothing found yet", flush=True)
    return runs


def _took_too_long(_number: int, _frame: object) -> None:
    raise TookTooLong(f"over {TIMEOUT_S} s of processor time")


def _keep(target: str, octets: bytes) -> None:
    """Write an input that goes wrong where atheris writes its own, and say so as it does."""
    FOUND.mkdir(exist_ok=True)
    file = FOUND / f"{target}-hypothesis-{hashlib.sha1(octets).hexdigest()}"
    file.write_bytes(octets)
    print(f"Test unit written to {file}", flush=True)


def again(target: str, file: Path) -> None:
    """Run one input that went wrong; it ends well, or raises what it raised."""
    from tests.fuzz import targets

    try:
        targets.TARGETS[target](file.read_bytes())
    finally:
        targets.end()


def write_seeds() -> None:
    """Write the good inputs into the corpus."""
    from tests.fuzz import targets

    for target, named in targets.seeds().items():
        for name, octets in named.items():
            (CORPUS / target / name).write_bytes(octets)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("engine", choices=["atheris", "hypothesis", "again", "seeds"])
    parser.add_argument("target", nargs="?", choices=["wire", "peer", "mapping", "names", "xml"], default="wire")
    parser.add_argument("file", nargs="?", type=Path, help="an input, for again")
    parser.add_argument("--for", dest="for_s", type=int, default=600, help="seconds")
    asked = parser.parse_args()
    if asked.engine == "seeds":
        write_seeds()
    elif asked.engine == "again":
        again(asked.target, asked.file)
    elif asked.engine == "atheris":
        with_atheris(asked.target, asked.for_s)
    else:
        print(f"{asked.target}: {with_hypothesis(asked.target, asked.for_s)} runs, nothing found")


if __name__ == "__main__":
    main()
