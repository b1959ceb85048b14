"""What is a lab's on this machine is found by its name, and nothing else is."""

import os
from pathlib import Path

import pytest

from lab.runtime import marks


def test_labs_are_known_by_their_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mclab-ab12-switch", "mclab-ab12-ue1", "mclab-00ff-router", "mclab-zz-router", "other"):
        (tmp_path / name).touch()
    monkeypatch.setattr(marks, "NETNS_FOLDER", tmp_path)
    assert marks.lab_ids() == ["00ff", "ab12"]
    assert marks.namespaces_of("ab12") == ["mclab-ab12-switch", "mclab-ab12-ue1"]


def test_where_there_are_no_namespaces_there_is_no_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "NETNS_FOLDER", tmp_path / "none")
    assert marks.lab_ids() == []


def test_what_runs_inside_is_found_by_its_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mclab-ab12-ue1").symlink_to(Path("/proc/self/ns/net"))
    monkeypatch.setattr(marks, "NETNS_FOLDER", tmp_path)
    assert os.getpid() in marks.processes_of("ab12")
    assert marks.processes_of("00ff") == []
