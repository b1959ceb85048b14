"""The outcome of a storm: passed only where the generator and the capture agree that everybody was registered."""

import io
from pathlib import Path

from rich.console import Console

from lab.commands.storm import StormOutcome, shown
from lab.evidence.wire_registrations import WireRegistrations
from lab.load.registration import Record
from lab.load.tally import Tally, tally

RECORD = Record("200", 0.01, 0.02, 0.03, [], 0, 1)


def figures(ok: int, wanted: int) -> Tally:
    return tally([RECORD] * ok, rate=50, wanted=wanted, took_s=1.0)


def wire(ok: int) -> WireRegistrations:
    return WireRegistrations(ok=ok, sent_again=0, statuses={"200": ok})


def outcome(ok: int, wanted: int, on_wire: int, reason: str = "") -> StormOutcome:
    return StormOutcome(Path("run"), {"migrated": figures(ok, wanted)}, {}, {"migrated": wire(on_wire)}, reason)


def test_all_ok_by_both_counts_passes() -> None:
    assert outcome(3, 3, 3).passed
    assert outcome(3, 3, 3).as_json()["verdict"] == "pass"


def test_one_missing_by_either_count_fails() -> None:
    assert not outcome(2, 3, 3).passed
    assert not outcome(3, 3, 2).passed
    assert not outcome(3, 3, 3, reason="the supervisor ended").passed


def test_a_search_passes_where_each_side_has_a_good_rate() -> None:
    assert StormOutcome(Path("run"), highest={"native": 300.0}).passed
    assert not StormOutcome(Path("run"), highest={"native": 300.0, "migrated": 0.0}).passed


def test_a_storm_of_which_nothing_came_fails() -> None:
    assert not StormOutcome(Path("run")).passed


def test_people_see_each_leg_and_the_count_of_the_capture() -> None:
    text = io.StringIO()
    shown(outcome(3, 3, 3), Console(file=text, width=120))
    assert "challenge" in text.getvalue()
    assert "3 of 3 registered" in text.getvalue()
    assert "the capture shows 3" in text.getvalue()
