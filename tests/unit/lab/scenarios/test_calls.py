"""A call has the end that its step names, or the step fails (calls themselves: tests/lab/test_scenarios.py)."""

import pytest

from lab.scenarios.calls import wanted
from lab.supervisor.process import ProgramFailure


def test_the_end_that_a_step_names_is_its_outcome() -> None:
    assert wanted("the call", {"ok": False, "status": 486, "reason": "busy"}, 486)["reason"] == "busy"


def test_another_end_is_a_failure_that_says_which() -> None:
    with pytest.raises(ProgramFailure, match="the call ended with 404 not-found, wanted 200"):
        wanted("the call", {"ok": False, "status": 404, "reason": "not-found"}, 200)
