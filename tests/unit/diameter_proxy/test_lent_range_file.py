"""The last known lent range: whole or not there, readable by us alone."""

import os
import stat

import pytest
import structlog

from diameter_proxy.lent_range_file import LentRange, LentRangeFile

RANGE = LentRange("ims.mc1.lab", "mig-")


def test_what_was_written_is_read_by_the_next_process(tmp_path):
    path = tmp_path / "range.json"
    assert LentRangeFile(path).read() is None
    LentRangeFile(path).write(RANGE)
    assert LentRangeFile(path).read() == RANGE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_range_is_not_written_again(tmp_path):
    path = tmp_path / "range.json"
    file = LentRangeFile(path)
    file.write(RANGE)
    before = path.stat().st_ino
    file.write(RANGE)
    assert path.stat().st_ino == before
    file.write(RANGE._replace(prefix="m-"))
    assert LentRangeFile(path).read() == ("ims.mc1.lab", "m-")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"[]",
        b'{"lent_range": {"domain": 1, "prefix": "m"}}',
        b'{"lent_range": {"domain": "", "prefix": ""}}',
        b'{"lent_range": {"domain": "ims.mc1.lab", "prefix": "\\ud800"}}',
        b"[" * 4096,
    ],
)
def test_a_file_that_cannot_be_used_is_said_and_passed_over(tmp_path, octets):
    path = tmp_path / "range.json"
    path.write_bytes(octets)
    with structlog.testing.capture_logs() as events:
        assert LentRangeFile(path).read() is None
    assert [event["event"] for event in events] == ["state.unusable"]


def test_a_fifo_is_not_waited_for_and_a_file_takes_its_place(tmp_path):
    path = tmp_path / "range.json"
    os.mkfifo(path)
    with structlog.testing.capture_logs() as events:
        assert LentRangeFile(path).read() is None
    assert [(event["event"], event["reason"]) for event in events] == [
        ("state.unusable", f"OSError: {path} is a FIFO, not a file")
    ]
    LentRangeFile(path).write(RANGE)
    assert LentRangeFile(path).read() == RANGE


def test_a_directory_that_is_not_there_is_said_and_the_old_file_stays(tmp_path):
    file = LentRangeFile(tmp_path / "none" / "range.json")
    with structlog.testing.capture_logs() as events:
        file.write(RANGE)
        file.write(RANGE)
    assert [event["event"] for event in events] == ["state.unwritten"] * 2
    assert list(tmp_path.iterdir()) == []
