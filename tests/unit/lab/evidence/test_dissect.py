"""tshark's failures become one line each."""

from pathlib import Path

import pytest

from lab.evidence.dissect import DissectionFailed, dissect, run_tshark, stream_tshark


def test_a_missing_capture_is_named(tmp_path: Path) -> None:
    with pytest.raises(DissectionFailed, match="no such capture"):
        dissect(tmp_path / "capture.pcapng")


def test_without_tshark_the_reason_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DissectionFailed, match="tshark is not installed: run make set-up"):
        run_tshark(tmp_path / "capture.pcapng")


def test_a_capture_that_is_not_there_is_one_line_when_it_is_streamed_too(tmp_path: Path) -> None:
    with pytest.raises(DissectionFailed, match="no such capture"):
        list(stream_tshark(tmp_path / "none.pcapng"))
