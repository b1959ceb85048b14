"""The hook on the real wheel, in processes that may die of it."""

import subprocess
import sys

import pytest

PRELUDE = "import sys; from ue_agent import aka_hook, hook_trial; hook_trial.DEADLINE_S = 2\n"


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PRELUDE + script], capture_output=True, text=True, timeout=60)


def test_trial_on_the_installed_pjsua2() -> None:
    trial = subprocess.run([sys.executable, "-m", "ue_agent.hook_trial"], capture_output=True, text=True, timeout=60)
    assert (trial.returncode, trial.stderr) == (0, "")
    assert trial.stdout in ("hooked\n", "native\n")


@pytest.mark.parametrize(
    "change",
    [
        "aka_hook.HOOKED = 'pjsip_no_such_function'",
        "aka_hook.CALLBACK = 'pjsip_no_such_function'",
        "aka_hook.platform.machine = lambda: 'aarch64'",
        "aka_hook._is_writable = lambda *_: False",
        "def fail(*_): raise aka_hook.ElfError('x')\naka_hook.find_jump_slot = fail",
    ],
    ids=["function", "callback", "machine", "memory", "file"],
)
def test_an_unknown_build_is_refused_before_any_write(change) -> None:
    done = run(f"{change}\nsys.exit(hook_trial.main())")
    assert (done.returncode, done.stderr) == (1, "")
    assert "hook" in done.stdout or "pjsua2" in done.stdout


@pytest.mark.parametrize("member", ["realm", "scheme", "username", "data_type", "algorithm_type"])
def test_another_layout_is_noticed_before_any_write(member) -> None:
    """Fields at other offsets: the copy does not compare, the call fails, and the process lives."""
    script = f"""
real = aka_hook._is_copy
def shifted(kept, given):
    import ctypes
    copy = aka_hook._Credential()
    ctypes.memmove(ctypes.byref(copy), ctypes.byref(given), ctypes.sizeof(copy))
    value = getattr(copy, {member!r})
    if isinstance(value, int):
        setattr(copy, {member!r}, value + 1)
    else:
        value.slen += 1
    return real(kept, copy)
aka_hook._is_copy = shifted
aka_hook._make_aka = lambda *_: sys.exit('written')
sys.exit(hook_trial.main())
"""
    done = run(script)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_exception_in_the_hook_becomes_a_status() -> None:
    done = run("aka_hook._set_credentials = lambda *_: 1 / 0\nsys.exit(hook_trial.main())")
    assert (done.returncode, done.stderr) == (1, "")


def test_an_exception_in_the_answer_sends_no_response() -> None:
    done = run("hook_trial._pretend = lambda _: 1 / 0\nsys.exit(hook_trial.main())")
    assert (done.returncode, done.stderr) == (1, "")
    assert "not answered" in done.stdout


def test_an_auts_that_does_not_arrive_is_no_aka() -> None:
    """A pjsua2 that loses AUTS would register until the first lost sequence number, and never again."""
    change = "hook_trial._pretend = lambda _: hook_trial.Answer(response=hook_trial.RESPONSE)"
    done = run(f"{change}\nsys.exit(hook_trial.main())")
    assert (done.returncode, done.stdout, done.stderr) == (1, "the trial's answer did not arrive as it was given\n", "")
