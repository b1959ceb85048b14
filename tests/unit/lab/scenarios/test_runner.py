"""What a step's outcome must be: shown as one line, resolved from what a UE was lent or has in its ISIM."""

import pytest

from lab.scenarios import ue_steps
from lab.scenarios.errands import accepted
from lab.scenarios.runner import reason_of, shown
from lab.supervisor.process import ProgramFailure


def test_a_step_is_shown_with_what_it_names() -> None:
    assert shown(ue_steps.Register("ue1", "mc2")) == "Register(ue=ue1, system=mc2, expires=600, status=200)"


def test_a_refusal_is_shown_with_status_step_and_reason() -> None:
    answer = {"ok": False, "status": 403, "step": "10.1.X.1-2", "reason": "not authorised"}
    assert reason_of(answer) == "403 10.1.X.1-2 not authorised"
    assert reason_of({"ok": False}) == "{'ok': False}"


def test_the_answer_of_an_errand_is_taken_or_named() -> None:
    assert accepted("hss.mc1", b'{"ok": true, "result": 2001}')["result"] == 2001
    for line, reason in [
        (b"", "no JSON object came back"),
        (b"[]", "no JSON object came back"),
        (b'{"ok": false, "error": "no such peer"}', "hss.mc1: no such peer"),
        (b'{"ok": false}', "no reason given"),
    ]:
        with pytest.raises(ProgramFailure, match=reason):
            accepted("hss.mc1", line)
