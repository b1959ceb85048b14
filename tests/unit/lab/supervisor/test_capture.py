"""The end of a capture file is looked at without reading all of it."""

from pathlib import Path

from lab.supervisor.capture import LOOKED_AT_OCTETS, last_octets


def test_the_last_octets_of_a_short_and_of_a_long_file(tmp_path: Path) -> None:
    file = tmp_path / "raw.pcapng"
    file.write_bytes(b"short")
    assert last_octets(file) == b"short"
    file.write_bytes(b"a" * LOOKED_AT_OCTETS + b"end")
    assert last_octets(file).endswith(b"aend")
    assert len(last_octets(file)) == LOOKED_AT_OCTETS
