"""The end of a capture file is looked at without reading all of it; the file in order is as private as dumpcap's."""

import asyncio
import signal
import struct
import subprocess
from pathlib import Path
from typing import Any

from lab.supervisor.capture import LOOKED_AT_OCTETS, Dumpcap, _signal, last_octets


def test_the_last_octets_of_a_short_and_of_a_long_file(tmp_path: Path) -> None:
    file = tmp_path / "raw.pcapng"
    file.write_bytes(b"short")
    assert last_octets(file) == b"short"
    file.write_bytes(b"a" * LOOKED_AT_OCTETS + b"end")
    assert last_octets(file).endswith(b"aend")
    assert len(last_octets(file)) == LOOKED_AT_OCTETS


def test_a_capture_that_has_ended_by_itself_is_nothing_to_stumble_over() -> None:
    with subprocess.Popen(["true"], start_new_session=True) as process:
        process.wait()
    _signal(process.pid, signal.SIGINT)


def test_the_file_in_order_is_for_its_owner_alone(tmp_path: Path) -> None:
    section = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    file, nothing = tmp_path / "raw.pcapng", None
    file.write_bytes(section + struct.pack("<IIHHII", 1, 20, 1, 0, 0, 20))
    file.chmod(0o600)
    dumpcap: Any = Dumpcap(nothing, nothing, file, "0")  # type: ignore[arg-type]
    asyncio.run(dumpcap._put_in_order())
    assert [path.name for path in tmp_path.iterdir()] == ["raw.pcapng"]
    assert file.stat().st_mode & 0o777 == 0o600
