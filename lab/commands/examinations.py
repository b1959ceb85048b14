"""Captures examined: why a registration failed.  It needs no lab, no root and no network."""

from collections.abc import Sequence
from pathlib import Path

from lab.commands.errors import Misuse
from lab.evidence.capture import FINISHED, RAW
from lab.evidence.dissect import DissectionFailed
from lab.evidence.doctor.examine import Diagnosis, diagnose
from lab.evidence.doctor.presentation import lines_of
from lab.evidence.doctor.sight import look
from lab.evidence.facts import FactsMissing, load_facts

EXIT_STATUS = {"healthy": 0, "ill": 1, "no registration": 2}


def doctor(path: Path, decode_as: Sequence[str] = (), key_log: Path | None = None) -> Diagnosis:
    """Return the diagnosis of a run directory or of any capture.

    Raises:
        Misuse: there is no such capture, tshark cannot read it, or the directory is none of a run.
    """
    if key_log is not None and not key_log.is_file():
        raise Misuse(f"{key_log}: no such file")
    try:
        facts = load_facts(path) if path.is_dir() else None
        file = _capture_of(path)
        return diagnose(look(file, facts, decode_as, key_log), str(file.absolute()))
    except (DissectionFailed, FactsMissing) as exc:
        raise Misuse(str(exc)) from exc


def shown(diagnosis: Diagnosis) -> str:
    """Return a diagnosis for people."""
    return "\n".join(lines_of(diagnosis))


def _capture_of(path: Path) -> Path:
    """Return the capture of a run directory, the raw one where it was never finished."""
    if not path.is_dir():
        return path
    finished = path / FINISHED
    return finished if finished.is_file() else path / RAW
