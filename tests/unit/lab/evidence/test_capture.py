"""Key logs are merged, names are put into the file, and what is no capture is refused in one line."""

import struct
from pathlib import Path

import pytest

from lab.evidence.capture import CaptureError, finish, merge_key_logs, with_names

SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)


def test_names_follow_the_section_header() -> None:
    octets = with_names(SECTION + b"rest", {"10.77.1.10": "pcscf.mc1.lab"})
    assert octets.startswith(SECTION)
    assert octets.endswith(b"rest")
    block_type, length = struct.unpack_from("<II", octets, len(SECTION))
    assert block_type == 4
    assert struct.unpack_from("<I", octets, len(SECTION) + length - 4) == (length,)
    assert b"\x0a\x4d\x01\x0apcscf.mc1.lab\x00" in octets


@pytest.mark.parametrize("octets", [b"", b"\xd4\xc3\xb2\xa1" * 8, SECTION[:8] + b"\x1a\x2b\x3c\x4d" + SECTION[12:]])
def test_what_is_no_pcapng_is_refused(octets: bytes) -> None:
    with pytest.raises(CaptureError, match="pcapng"):
        with_names(octets, {})


def test_key_logs_are_merged_without_doubles_and_comments(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.keys").write_text("# made by\nCLIENT_RANDOM 1 2\n")
    (tmp_path / "keys" / "b.keys").write_text("CLIENT_RANDOM 1 2\nCLIENT_RANDOM 3 4\n")
    merged = merge_key_logs(tmp_path)
    assert merged.read_text() == "CLIENT_RANDOM 1 2\nCLIENT_RANDOM 3 4\n"
    assert merged.stat().st_mode & 0o777 == 0o600


def test_a_run_without_a_capture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no such capture"):
        finish(tmp_path, {})


def test_a_finished_capture_holds_secrets_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    interface = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
    (tmp_path / "raw.pcapng").write_bytes(SECTION + interface)
    (tmp_path / "keys").mkdir()
    finished = finish(tmp_path, {})
    assert finished.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob(".capture*"))


def test_a_capture_that_is_cut_short_is_refused_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    interface = struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20)
    packet = struct.pack("<IIIIIII", 6, 132, 0, 0, 0, 100, 100) + bytes(50)
    (tmp_path / "raw.pcapng").write_bytes(SECTION + interface + packet)
    (tmp_path / "keys").mkdir()
    with pytest.raises(CaptureError, match="cut short"):
        finish(tmp_path, {})
    assert sorted(file.name for file in tmp_path.iterdir()) == ["keys", "raw.pcapng", "tls.keys"]
