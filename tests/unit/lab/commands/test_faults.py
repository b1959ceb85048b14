"""Faults by command: what cannot be is refused before a lab is asked."""

import pytest

from lab.commands import faults, labs
from lab.commands.errors import Misuse


@pytest.fixture(autouse=True)
def no_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labs, "_labs", list)


def test_an_unknown_kind_is_told_what_there_is() -> None:
    with pytest.raises(Misuse, match="no fault dance; there are cut, loss"):
        faults.begin(None, {"kind": "dance", "target": "hss.mc1"})


def test_a_kind_without_a_target_is_told_where_to_look() -> None:
    with pytest.raises(Misuse, match="kill of what"):
        faults.end(None, "kill", None)


def test_without_a_lab_one_is_told_how_to_make_it() -> None:
    for ask in (lambda: faults.active(None), lambda: faults.end(None, None, None)):
        with pytest.raises(Misuse, match="mclab up makes one"):
            ask()


def test_each_kind_is_listed_with_what_it_needs() -> None:
    listed = {one["kind"]: one for one in faults.kinds()}
    assert listed["delay"]["options"] == "--delay-ms N [--jitter-ms N]"
    assert listed["kill"]["options"] == ""
