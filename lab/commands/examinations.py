"""Captures examined: why a registration failed, what differs between two runs.

It needs no lab, no root and no network, and writes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from lab.commands.errors import Failure, Misuse
from lab.commands.verdicts import scenario_of
from lab.evidence.capture import FINISHED, RAW
from lab.evidence.compare import presentation as comparing
from lab.evidence.compare.comparison import Comparison, Side
from lab.evidence.compare.comparison import compare as compare_sides
from lab.evidence.dissect import DissectionFailed, dissect
from lab.evidence.doctor import presentation as diagnosing
from lab.evidence.doctor.examine import Diagnosis, diagnose
from lab.evidence.doctor.isim import IsimKeys, KeysUnusable, load_isim
from lab.evidence.doctor.sight import look
from lab.evidence.facts import FactsMissing, RunFacts, load_facts
from lab.evidence.judge import report_on
from lab.evidence.story import read_stories
from lab.run_directory import RunDirectory, RunDirectoryError

EXIT_STATUS = {"healthy": 0, "ill": 1, "no registration": 2}


def doctor(
    path: Path, decode_as: Sequence[str] = (), key_log: Path | None = None, isim: Path | None = None
) -> Diagnosis:
    """Return the diagnosis of a run directory or of any capture; ``isim`` holds the keys of the UE that failed.

    Raises:
        Misuse: there is no such capture, tshark cannot read it, or the directory is none of a run.
    """
    if key_log is not None and not key_log.is_file():
        raise Misuse(f"{key_log}: no such file")
    try:
        facts = load_facts(path) if path.is_dir() else None
        file = _capture_of(path)
        isims = {"": load_isim(isim)} if isim else _isims_of(path, facts)
        return diagnose(look(file, facts, decode_as, key_log, isims), str(file.absolute()))
    except (DissectionFailed, FactsMissing, KeysUnusable) as exc:
        raise Misuse(str(exc)) from exc


def compare(first: Path, second: Path) -> Comparison:
    """Return what differs between two runs, each judged anew from its capture.

    Raises:
        Misuse: one of them is no whole run directory, or its capture cannot be judged.
    """
    return compare_sides(_judged(first), _judged(second))


def shown(result: Diagnosis | Comparison) -> str:
    """Return a result for people."""
    lines = diagnosing.lines_of(result) if isinstance(result, Diagnosis) else comparing.lines_of(result)
    return "\n".join(map(_printable, lines))


def _printable(line: str) -> str:
    """Return a line without what a terminal would obey: a stranger's capture may have put it there."""
    return "".join(character if character.isprintable() else " " for character in line)


def _isims_of(run: Path, facts: RunFacts | None) -> dict[str, IsimKeys]:
    """Return the keys of the UEs of a run whose configuration is still there."""
    files = {ue.name: run / "etc" / ue.name / "ue.toml" for ue in facts.ues} if facts else {}
    return {name: load_isim(file) for name, file in files.items() if file.is_file()}


def _judged(run: Path) -> Side:
    try:
        facts = RunDirectory(run).read_run()
        scenario = scenario_of(facts)
        file = _capture_of(run)
        if facts.get("crowd"):
            raise Misuse(f"{run}: a storm, which has nothing to put side by side; mclab verify {run} judges it")
        evidence = read_stories(dissect(file), load_facts(run))
    except (RunDirectoryError, Failure, DissectionFailed, FactsMissing) as exc:
        raise Misuse(str(exc)) from exc
    return Side(report_on(evidence, scenario, capture=str(file.absolute()), run=str(run.absolute())), evidence)


def _capture_of(path: Path) -> Path:
    """Return the capture of a run directory, the raw one where it was never finished."""
    if not path.is_dir():
        return path
    finished = path / FINISHED
    return finished if finished.is_file() else path / RAW
