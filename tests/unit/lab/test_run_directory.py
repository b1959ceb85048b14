"""The run directory: whole files, one-line errors, and its owner."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.run_directory import RunDirectory, RunDirectoryError, last_lines, new_lab_id, new_run_path


def test_run_json_comes_back_as_written(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.make()
    run.write_run({"scenario": "native"})
    assert run.read_run() == {"scenario": "native"}
    assert sorted(file.name for file in run.path.iterdir()) == [
        "etc",
        "events",
        "keys",
        "log",
        "run.json",
        "state",
        "tls",
    ]


def test_keys_and_databases_are_for_the_owner_alone(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    run.make()
    modes = {folder: (run.path / folder).stat().st_mode & 0o077 for folder in ("keys", "state")}
    assert modes == {"keys": 0, "state": 0}


def test_a_directory_without_run_json_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"not a run directory: run\.json: No such file"):
        RunDirectory(tmp_path).read_run()
    with pytest.raises(RunDirectoryError, match=r"not a run directory: there is nothing; .* runs/"):
        RunDirectory(tmp_path / "none").read_run()
    (tmp_path / "trace.pcap").write_text("")
    with pytest.raises(RunDirectoryError, match=r"not a run directory: a file; mclab doctor takes a capture"):
        RunDirectory(tmp_path / "trace.pcap").read_run()


@pytest.mark.parametrize("text", ['{"scenario": ', "{}", "[]"])
def test_a_half_written_run_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunDirectoryError, match="half-written"):
        RunDirectory(tmp_path).read_run()


def test_without_sudo_the_files_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    (tmp_path / "x").write_text("")
    before = (tmp_path / "x").stat().st_uid
    RunDirectory(tmp_path).give_to_caller()
    assert (tmp_path / "x").stat().st_uid == before


def test_a_run_is_named_after_scenario_time_and_lab() -> None:
    path = new_run_path("native", "ab12", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert path.name == "native-20260102-030405-ab12"
    assert path.parent.name == "runs"


def test_lab_ids_are_four_hexadecimal_digits() -> None:
    assert len(new_lab_id()) == 4
    int(new_lab_id(), 16)


def test_the_last_lines_of_a_log_and_of_none(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a\nb\nc\n")
    assert last_lines(tmp_path / "log", 2) == ["b", "c"]
    assert last_lines(tmp_path / "none", 2) == []
