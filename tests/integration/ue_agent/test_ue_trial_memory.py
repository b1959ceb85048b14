"""A trial of AKA on the installed pjsua2 is made once, and again only when what was noted is not to be believed."""

import os
from pathlib import Path

import pytest

from ue_agent import hook_trial
from ue_agent.errors import HookError
from ue_agent.trial_memory import digest_of_what_is_tried


async def test_the_second_start_needs_no_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await hook_trial.prove_aka(tmp_path / "memory")
    assert shown in ("hooked", "native")
    assert os.listdir(tmp_path / "memory") == [digest_of_what_is_tried()]  # noqa: PTH208 - and nothing else
    monkeypatch.setattr(hook_trial.sys, "executable", "/bin/false")
    assert await hook_trial.prove_aka(tmp_path / "memory") == shown
    (tmp_path / "memory").chmod(0o777)
    with pytest.raises(HookError, match="the trial ended with 1"):
        await hook_trial.prove_aka(tmp_path / "memory")


async def test_a_trial_that_failed_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_trial.sys, "executable", "/bin/false")
    with pytest.raises(HookError):
        await hook_trial.prove_aka(tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - nothing at all
