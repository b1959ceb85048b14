"""Events on standard error, JSON in service."""

import errno
import io
import json
import logging
import os
import sys

import pytest
import structlog

from diameter_proxy.logs import LineWriter, configure_logs, tell
from tests import unwritable


def test_an_event_is_a_line_of_json(capsys):
    kept = logging.root.handlers[:], logging.root.level
    try:
        configure_logs("info", node="proxy1")
        structlog.get_logger().info("peer.open", peer="hss")
        structlog.get_logger().debug("not.shown")
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
        logging.root.handlers[:], logging.root.level = kept
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["peer"], line["node"], line["level"]) == ("peer.open", "hss", "proxy1", "info")


class Disk(io.RawIOBase):
    """A file that takes ``room`` octets, as a disk that becomes full: then ENOSPC, after a part of the line."""

    def __init__(self):
        self.octets, self.room = bytearray(), 1 << 20

    def write(self, octets):
        taken = bytes(octets[: self.room])
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.octets += taken
        self.room -= len(taken)
        return len(taken)

    def writable(self):
        return True

    @property
    def lines(self):
        return self.octets.decode().splitlines()


@pytest.fixture
def disk(monkeypatch):
    disk = Disk()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(disk), write_through=True))
    monkeypatch.setattr(LineWriter, "lost", 0)
    configure_logs("error", node="proxy1")
    return disk


def test_a_full_disk_costs_lines_and_says_how_many(disk):
    log = structlog.get_logger()
    log.error("first")
    disk.room = 10
    for _ in range(3):
        log.error("lost")
    assert LineWriter.lost == 3
    disk.room = 1 << 20
    log.error("back")
    log.error("and on")
    first, torn, lost, back, on = disk.lines
    assert [json.loads(line)["event"] for line in (first, back, on)] == ["first", "back", "and on"]
    assert torn == '{"event": '
    told = json.loads(lost)
    assert (told["event"], told["count"], told["level"], told["node"]) == ("log.lost", 3, "error", "proxy1")


def test_what_is_lost_while_there_is_room_for_less_than_a_line_is_told_later(disk):
    disk.room = 0
    structlog.get_logger().error("lost")
    disk.room = 20  # not even the line that says so
    structlog.get_logger().error("lost too")
    disk.room = 1 << 20
    structlog.get_logger().error("back")
    assert [json.loads(line)["count"] for line in disk.lines if "log.lost" in line[20:]] == [2]


def test_what_libraries_say_is_dropped_as_well(disk):
    disk.room = 0
    logging.getLogger("asyncio").error("lost")
    assert LineWriter.lost == 1
    disk.room = 1 << 20
    logging.getLogger("asyncio").error("shown")
    lost, shown = disk.lines
    assert json.loads(lost)["count"] == 1
    assert shown == "ERROR:asyncio:shown"


@unwritable.EACH
def test_a_stream_that_takes_nothing_raises_nothing(monkeypatch, opener):
    monkeypatch.setattr(LineWriter, "lost", 0)
    with os.fdopen(opener(), "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(sys, "stdout", stream)
        configure_logs()
        structlog.get_logger().error("lost")
        tell({"event": "ready"})
    structlog.get_logger().error("closed too")
    assert LineWriter.lost == 3


def test_what_is_told_is_a_line_of_json_on_standard_output(capsys):
    tell({"event": "ready", "listen": ["127.0.0.1:3868"]})
    assert capsys.readouterr() == ('{"event": "ready", "listen": ["127.0.0.1:3868"]}\n', "")


def test_what_was_lost_of_what_is_told_is_told_with_the_next_line(disk, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(disk), write_through=True))
    disk.room = 10
    tell({"event": "keys.reloaded"})
    tell({"event": "keys.reloaded"})
    disk.room = 1 << 20
    tell({"event": "ready"})
    assert disk.lines == ['{"event": ', '{"event": "log.lost", "count": 2}', '{"event": "ready"}']
