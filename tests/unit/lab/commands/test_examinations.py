"""What `mclab doctor` refuses: each is one line."""

from pathlib import Path

import pytest

from lab.commands.errors import Misuse
from lab.commands.examinations import doctor


def test_what_is_no_capture_is_said_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "x.pcap"
    text.write_text("no capture")
    for path, says in ((tmp_path / "none", "no such capture"), (tmp_path, "is this a run directory"), (text, "tshark")):
        with pytest.raises(Misuse) as caught:
            doctor(path)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


def test_keys_must_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no such file"):
        doctor(tmp_path, key_log=tmp_path / "keys")
