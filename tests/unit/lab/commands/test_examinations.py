"""What `mclab doctor` refuses: each is one line; and that a capture does not speak to the terminal."""

from pathlib import Path

import pytest

from lab.commands.errors import Misuse
from lab.commands.examinations import compare, doctor, shown
from lab.evidence.doctor.examine import AttemptReport, Diagnosis, Rung


def test_what_is_no_capture_is_said_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "x.pcap"
    text.write_text("no capture, though as long as one")
    for path, says in ((tmp_path / "none", "no such capture"), (tmp_path, "is this a run directory"), (text, "tshark")):
        with pytest.raises(Misuse) as caught:
            doctor(path)
        assert says in str(caught.value)
        assert "\n" not in str(caught.value)


def test_keys_must_be_a_file(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="no such file"):
        doctor(tmp_path, key_log=tmp_path / "keys")


def test_what_a_capture_said_is_no_command_to_the_terminal() -> None:
    """A reason phrase is free text: here it would set the window's title and clear the screen."""
    rung = Rung(frame=1, at_s=0.0, source="ue", destination="pcscf", text="403 \x1b]0;owned\x07\x9b2J\u202eno")
    failed = AttemptReport(
        ue="ue",
        private_user_identity="",
        public_user_identity="sip:\x1b[2J@x",
        outcome="refused",
        status=403,
        reason="\r\x1b[1A",
        frames=(1, 1),
        ladder=(rung,),
    )
    text = shown(Diagnosis(capture="c", verdict="healthy", illnesses=(), failed=(failed,), registrations=1))
    assert all(character.isprintable() for character in text.replace("\n", ""))
    assert "403" in text


def test_a_storm_is_nothing_to_compare(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"scenario": "storm", "crowd": {"users": 2}}')
    with pytest.raises(Misuse, match="a storm, which has nothing to put side by side; mclab verify"):
        compare(tmp_path, tmp_path)
