"""The outcome of an attachment: every check before the flight, and the verdict where there was a flight."""

from pathlib import Path

import pytest

from lab.attach.preflight import PreflightFinding
from lab.commands.attachments import AttachOutcome, attach
from lab.commands.errors import Misuse
from lab.commands.outcome import RunOutcome

WHOLE = (Path(__file__).parents[3] / "lab" / "cores" / "attach.toml").read_text()
GOOD, BAD = PreflightFinding("a", True, "answers"), PreflightFinding("b", False, "no answer", "mend")


def outcome(*findings: PreflightFinding, checked_only: bool = True, reason: str = "") -> AttachOutcome:
    return AttachOutcome(RunOutcome("attach", Path("run"), reason=reason), checked_only, list(findings))


def test_a_check_passes_where_all_is_well() -> None:
    assert outcome(GOOD).passed
    assert outcome(GOOD).as_json()["preflight"] == [GOOD.as_json()]


def test_one_bad_finding_none_at_all_or_a_failure_is_no_pass() -> None:
    assert not outcome(GOOD, BAD).passed
    assert not outcome().passed
    assert not outcome(GOOD, reason="the supervisor ended").passed


def test_a_flight_without_a_report_is_no_pass() -> None:
    assert not outcome(GOOD, checked_only=False).passed


def test_a_file_that_cannot_be_used_is_misuse_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="No such file"):
        attach(tmp_path / "none.toml", tmp_path / "run", print, check=True, show=False)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("what", ["interface", "bridge"])
def test_an_uplink_that_this_machine_has_not_is_named_before_anything_starts(tmp_path: Path, what: str) -> None:
    uplink = WHOLE[: WHOLE.index("[uplink]")] + f'[uplink]\n{what} = "nowhere0"\n'
    (tmp_path / "attach.toml").write_text(uplink)
    with pytest.raises(Misuse, match=rf"^attach\.toml: uplink\.{what}: this machine has no nowhere0; it has .*lo"):
        attach(tmp_path / "attach.toml", tmp_path / "run", print, check=True, show=False)
    assert not (tmp_path / "run").exists()
