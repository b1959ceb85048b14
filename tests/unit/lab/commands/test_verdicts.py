"""Runs judged again, and their reports: what is no run, half a run, a whole one."""

import json
import struct
from pathlib import Path

import pytest

from lab.commands import verdicts
from lab.commands.errors import Failure, Misuse
from lab.evidence.report import Report, Verdict


def report(verdict: Verdict) -> Report:
    return Report(
        scenario="native", what="", verdict=verdict, steps=(), checks=(), expectations=(),
        capture="/c", run="/r", environment={},
    )  # fmt: skip


def test_a_run_directory_that_is_none_or_half_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="not a run directory"):
        verdicts.verify(tmp_path, show=False)
    (tmp_path / "run.json").write_text('{"scen')
    with pytest.raises(Misuse, match="half-written"):
        verdicts.verify(tmp_path, show=False)
    (tmp_path / "run.json").write_text('{"scenario": "native"}')
    with pytest.raises(Misuse, match="no report in it yet"):
        verdicts.report(tmp_path, show=False)


def test_a_report_is_shown_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"scenario": "native", "failure": None}))
    report(Verdict.PASS).save(tmp_path)
    assert verdicts.report(tmp_path, show=False).passed


def test_a_run_that_was_held_to_nothing_we_know_is_half_written(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"scenario": "native", "checks": [{"nome": "x"}]}))
    with pytest.raises(Failure, match="half-written: proves, absent or checks"):
        verdicts.verify(tmp_path, show=False)


def test_a_storm_without_its_capture_says_so(tmp_path: Path) -> None:
    systems = [{"name": name, "home_domain": f"ims.{name}.lab", "plmn": "00101"} for name in ("mc1", "mc2")]
    crowd = {"home": "mc1", "partner": "mc2", "users": 2}
    facts = {"scenario": "storm", "hosts": {}, "systems": systems, "ues": [], "crowd": crowd}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    with pytest.raises(Failure, match=r"capture\.pcapng: no such capture"):
        verdicts.verify(tmp_path, show=False)


def test_a_run_that_cannot_be_written_into_is_one_line(tmp_path: Path) -> None:
    facts = {"scenario": "native", "hosts": {}, "systems": [], "ues": []}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    (tmp_path / "raw.pcapng").write_bytes(section + struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20))
    (tmp_path / "wireshark").touch()
    with pytest.raises(Failure, match=r"wireshark: File exists$"):
        verdicts.verify(tmp_path, show=False)
