"""What cannot be looked at is refused in one line; what tshark cannot read is said."""

from pathlib import Path

import pytest

from lab.evidence.dissect import DissectionFailed
from lab.evidence.doctor import sight
from lab.evidence.doctor.connections import FIELDS, Connection
from lab.evidence.messages import Capture


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DissectionFailed, match="no such capture"):
        sight.look(tmp_path / "none.pcap")


@pytest.mark.parametrize("octets", [b"", b"hello\n"])
def test_a_file_too_short_for_a_capture_is_not_one_without_registrations(tmp_path: Path, octets: bytes) -> None:
    file = tmp_path / "short.pcap"
    file.write_bytes(octets)
    with pytest.raises(DissectionFailed, match="no capture: the header alone of one has 24 octets"):
        sight.look(file)


def test_a_capture_with_too_many_connections_says_how_to_cut_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tshark"
    program.write_text("#!/bin/sh\nprintf '1\\n2\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(sight, "EVENTS_MAX", 1)
    with pytest.raises(DissectionFailed, match="over 1 frames of TCP set-up and TLS; cut a part out: editcap"):
        sight.look(program)


def test_tls_that_nobody_could_read_is_counted_with_its_ports() -> None:
    closed = Connection(1, port=5868, is_tls=True, has_data=True)
    read = Connection(2, port=443, is_tls=True, has_data=True, is_finished=True)
    empty = Connection(3, port=444, is_tls=True)
    begun_before = Connection(4, is_tls=True, has_data=True)
    assert sight._unread(Capture(), [closed, read, empty]) == [
        "1 TLS connections could not be read (ports 5868): no secrets; --keys FILE"
    ]
    assert "ports unknown" in sight._unread(Capture(), [begun_before])[0]
    assert sight._unread(Capture(), [read]) == []


def test_frames_of_a_security_association_are_counted() -> None:
    line = "\t".join("7" if name == "frame.number" else "" for name in FIELDS)
    tcp = "\t".join("7" for _ in FIELDS)
    assert sight._protected([line, line, tcp]) == ["2 ESP frames could not be read: SIP inside a security association"]
    assert sight._protected([tcp]) == []
