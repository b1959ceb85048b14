"""How the event loop waits: awake for a moment where an answer is near, else asleep.

To sleep and to be woken takes a virtual machine some 50 us, as much as all that we do with a message.  An HSS that is
near answers in little more.  So whoever has asked one looks at the sockets again and again before going to sleep, as
long as waits were short of late: KVM's halt polling, and Linux's ``cpuidle_haltpoll``, do the same below us.

A selector cannot tell an answer from a request, nor one peer's from another's: what ends a wait counts.
"""

import selectors
import time
from collections.abc import Callable
from typing import Final, Protocol

FEW: Final = 8
"""With more awaited than these, of all peers together, a wake-up brings several answers, which share what it costs."""
FIRST_S: Final = 25e-6
"""The first time awake after a wait that was long; it doubles while waits are shorter than ``longest_s``."""
SHARE: Final = 0.2
"""The part of the time that may be spent awake, over long; ``SAVED_S`` more in a short while."""
SAVED_S: Final = 0.01
"""What may be saved up while nothing is spent."""

Events = list[tuple[selectors.SelectorKey, int]]


class Awaited(Protocol):
    """What is awaited, ``pending.PendingRequests`` for one."""

    count: int


class _Nothing:
    count = 0


class Wakefulness:
    """Decides how long to stay awake.

    Attributes:
        awaited: tells how many answers are awaited.
        longest_s: the longest time awake in one go, and the longest wait that is worth one; 0 is never awake.
        spent_s: seconds that were spent awake, since the start.
    """

    def __init__(self, longest_s: float = 0.0, awaited: Awaited | None = None) -> None:
        self.longest_s = longest_s
        self.awaited: Awaited = awaited or _Nothing()
        self.spent_s = 0.0
        self._window_s = 0.0
        self._credit_s = SAVED_S
        self._credited_s = 0.0

    @property
    def is_worth_a_thought(self) -> bool:
        """Whether an answer is awaited that may come soon."""
        return 0 < self.awaited.count <= FEW and self.longest_s > 0

    def allowed_s(self, now_s: float) -> float:
        """Credit the time since the last call, and return how long to stay awake from now on, in seconds.

        0 where the last wait was long, or too much has been spent.
        """
        self._credit_s = min(SAVED_S, self._credit_s + SHARE * (now_s - self._credited_s))
        self._credited_s = now_s
        window_s = min(self._window_s, self.longest_s)
        return window_s if window_s <= self._credit_s else 0.0

    def spent(self, awake_s: float) -> None:
        """Take note of a time awake."""
        self._credit_s -= awake_s
        self.spent_s += awake_s

    def slept(self, waited_s: float, *, has_come: bool) -> None:
        """Take note of a wait that ended in sleep: because something came, or else because of a timer."""
        if waited_s > self.longest_s:
            self._window_s = 0.0
        elif has_come:
            self._window_s = min(self.longest_s, max(FIRST_S, 2 * self._window_s))


class WakefulSelector(selectors.DefaultSelector):
    """The selector of an event loop that stays awake as ``wakefulness`` says."""

    def __init__(self, wakefulness: Wakefulness, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._wakefulness: Final = wakefulness
        self._clock: Final = clock

    def select(self, timeout: float | None = None) -> Events:
        """Return what is ready, as ``selectors`` has it; ``timeout`` in seconds, None waits for ever."""
        wakefulness = self._wakefulness
        if not wakefulness.is_worth_a_thought or (timeout is not None and timeout <= 0):
            return super().select(timeout)
        began_s = self._clock()
        window_s = wakefulness.allowed_s(began_s)
        if timeout is not None:
            window_s = min(window_s, timeout)
        if window_s:
            events, passed_s = self._look(began_s, window_s)
            if events:
                return events
            if timeout is not None:
                timeout = max(0.0, timeout - passed_s)
        events = super().select(timeout)
        wakefulness.slept(self._clock() - began_s, has_come=bool(events))
        return events

    def _look(self, began_s: float, window_s: float) -> tuple[Events, float]:
        look, clock = super().select, self._clock
        events, passed_s = look(0), 0.0
        while not events and passed_s < window_s:
            events = look(0)
            passed_s = clock() - began_s
        self._wakefulness.spent(min(passed_s, window_s))  # more has passed where another process had our processor
        return events, passed_s
