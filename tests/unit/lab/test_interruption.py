"""The first signal ends a command, the next ones not its cleaning up; exit status as a shell gives it."""

import os
import signal
from collections.abc import Iterator

import pytest

from lab import interruption
from lab.interruption import SIGNALS, STILL_AT_IT, Interrupted, exit_status, listen


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """Begin as from a terminal: whoever runs the tests may have them ignored (nohup, ``&``)."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in SIGNALS}
    yield
    for number, action in before.items():
        signal.signal(number, action)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_first_signal_is_raised_with_its_status(number: signal.Signals, status: int) -> None:
    listen()
    with pytest.raises(Interrupted) as ended:
        os.kill(os.getpid(), number)
    assert exit_status(ended.value) == status
    assert exit_status(KeyboardInterrupt()) == 130


def test_the_second_signal_says_that_cleaning_up_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    listen()
    with pytest.raises(Interrupted):
        os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    assert capfd.readouterr().err == 2 * STILL_AT_IT.decode()


def test_a_cleaning_up_that_never_ends_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interruption, "PATIENCE_S", 0.0)
    listen()
    for _ in range(2):
        with pytest.raises(Interrupted):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_the_caller_has_us_ignore_stays_ignored() -> None:
    """``nohup mclab`` outlives its terminal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    listen()
    os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
