"""Ctrl-C, SIGTERM, a terminal that goes: the first one ends what ``mclab`` does, the next ones not its cleaning up.

The first raises ``Interrupted`` where the program is.  Whoever began something ends it on the way out, within a bounded
time; until then further signals are answered with a word and nothing else.
"""

import math
import os
import signal
import time
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STILL_AT_IT: Final = b"still cleaning up; that takes half a minute at the most\n"
PATIENCE_S: Final = 60.0
"""Longer than any cleaning up takes: who still has to wait then may end that too."""
_STANDARD_ERROR: Final = 2


class Interrupted(KeyboardInterrupt):
    """A signal told us to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Told(SystemExit):
    """The end of a program that has said that it was interrupted."""


class _Listener:
    """What signals do while a command runs."""

    def __init__(self) -> None:
        self._began_s = -math.inf

    def take(self, number: int, _frame: FrameType | None) -> None:
        """Take one signal: the first one is raised, and the next one after ``PATIENCE_S``."""
        now_s = time.monotonic()
        if now_s - self._began_s < PATIENCE_S:
            os.write(_STANDARD_ERROR, STILL_AT_IT)
            return
        self._began_s = now_s
        raise Interrupted(number)


def listen() -> None:
    """Have these signals raise ``Interrupted``; one that our caller has us ignore (nohup, ``&``) stays ignored."""
    listener = _Listener()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, listener.take)


def exit_status(interruption: KeyboardInterrupt) -> int:
    """Return what a shell gives for a program that a signal ended: 130 after Ctrl-C, 143 after SIGTERM."""
    return 128 + (interruption.number if isinstance(interruption, Interrupted) else signal.SIGINT)
