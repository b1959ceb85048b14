"""How the event loop waits while answers are awaited: awake for a moment where they come soon, never for long."""

import asyncio
import itertools
import selectors
import socket
import time
from dataclasses import dataclass

import pytest

from diameter_proxy.awake import FEW, FIRST_S, SAVED_S, SHARE, Wakefulness, WakefulSelector

LONGEST_S = 200e-6


@dataclass
class Awaited:
    count: int = 1


class Clock:
    """Time that passes by a microsecond whenever somebody asks for it."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        self.now_s += 1e-6
        return self.now_s


@pytest.fixture
def awaited():
    return Awaited()


@pytest.fixture
def wakefulness(awaited):
    return Wakefulness(LONGEST_S, awaited)


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def selector(wakefulness, pair):
    with WakefulSelector(wakefulness, Clock()) as made:
        made.register(pair[0], selectors.EVENT_READ, "answer")
        yield made


def grown(wakefulness):
    """Have answers come within ``longest_s`` until the window grows no more."""
    for _ in range(8):
        wakefulness.slept(100e-6, has_come=True)
    return wakefulness


def test_the_window_doubles_up_to_the_longest_while_answers_come_soon(wakefulness):
    windows = [wakefulness.allowed_s(0.0)]
    for _ in range(5):
        wakefulness.slept(100e-6, has_come=True)
        windows.append(wakefulness.allowed_s(0.0))
    assert windows == [0.0, FIRST_S, 2 * FIRST_S, 4 * FIRST_S, LONGEST_S, LONGEST_S]


def test_an_answer_that_takes_long_ends_it_at_once(wakefulness):
    grown(wakefulness).slept(LONGEST_S * 1.01, has_come=True)
    assert wakefulness.allowed_s(0.0) == 0.0


@pytest.mark.parametrize("count", [0, FEW + 1, 10_000])
def test_with_nothing_or_much_awaited_it_is_not_thought_of(wakefulness, awaited, count):
    awaited.count = count
    assert not wakefulness.is_worth_a_thought


def test_zero_microseconds_switch_it_off(awaited):
    assert not Wakefulness(0.0, awaited).is_worth_a_thought


def test_a_timer_says_nothing_of_answers(wakefulness):
    for _ in range(8):
        wakefulness.slept(20e-6, has_come=False)
    assert wakefulness.allowed_s(0.0) == 0.0


def test_a_long_wait_that_a_timer_ends_ends_it_too(wakefulness):
    grown(wakefulness).slept(0.05, has_come=False)
    assert wakefulness.allowed_s(0.0) == 0.0


def test_a_smaller_longest_holds_at_once(wakefulness):
    """As after a reload."""
    grown(wakefulness).longest_s = 50e-6
    assert wakefulness.allowed_s(0.0) == 50e-6


def test_a_fifth_of_the_time_is_spent_at_most(wakefulness):
    """Ten thousand waits that follow each other, each answered at the end of the window."""
    grown(wakefulness)
    now_s = 0.0
    for _ in range(10_000):
        window_s = wakefulness.allowed_s(now_s)
        wakefulness.spent(window_s)
        now_s += LONGEST_S
    assert 0.9 * SHARE * now_s < wakefulness.spent_s <= SAVED_S + SHARE * now_s


def test_what_is_saved_up_is_bounded(wakefulness):
    grown(wakefulness)
    spent_s = 0.0
    while window_s := wakefulness.allowed_s(86_400.0):
        wakefulness.spent(window_s)
        spent_s += window_s
    assert spent_s <= SAVED_S


def test_an_answer_within_the_window_is_seen_without_sleep(wakefulness, pair, monkeypatch):
    """It comes at the fourth look."""
    timeouts, look = [], selectors.DefaultSelector.select

    def spy(selector, timeout=None):
        timeouts.append(timeout)
        if len(timeouts) == 4:
            pair[1].send(b"MAA")
        return look(selector, timeout)

    monkeypatch.setattr(selectors.DefaultSelector, "select", spy)
    with WakefulSelector(grown(wakefulness), Clock()) as selector:
        selector.register(pair[0], selectors.EVENT_READ, "answer")
        ((key, _),) = selector.select(None)
    assert key.data == "answer"
    assert timeouts == [0, 0, 0, 0]
    assert 0.0 < wakefulness.spent_s < 10e-6
    assert wakefulness.allowed_s(1.0) == LONGEST_S


def test_after_the_window_it_sleeps_and_an_answer_wakes_it(wakefulness, pair):
    """The clock that passes by 30 us at a time comes to the end of the window, and only then is the answer sent."""
    ours, theirs = pair
    looks = itertools.count()

    def clock():
        number = next(looks)
        if number == 7:
            theirs.send(b"MAA")
        return number * 30e-6

    with WakefulSelector(grown(wakefulness), clock) as selector:
        selector.register(ours, selectors.EVENT_READ, "answer")
        ((key, _),) = selector.select(None)
    assert key.data == "answer"
    assert wakefulness.spent_s == LONGEST_S
    assert wakefulness.allowed_s(1.0) == 0.0, "what took longer than the window ends it"


def test_a_timer_within_the_window_is_not_overslept(selector, wakefulness):
    grown(wakefulness)
    assert selector.select(50e-6) == []
    assert wakefulness.spent_s == pytest.approx(50e-6)
    assert wakefulness.allowed_s(1.0) == LONGEST_S


def test_who_was_stopped_while_awake_is_not_charged_and_does_not_sleep_longer(wakefulness):
    """The processor was another's for ten seconds: the timer of 2 ms is long over."""
    times = iter([0.0, 10.0, 10.0])
    with WakefulSelector(grown(wakefulness), lambda: next(times)) as selector:
        began_s = time.monotonic()
        assert selector.select(2e-3) == []
        assert time.monotonic() - began_s < 1.0
    assert wakefulness.spent_s == LONGEST_S


def test_what_is_left_of_the_time_is_slept(selector, wakefulness):
    grown(wakefulness)
    began_s = time.monotonic()
    assert selector.select(0.05) == []
    assert time.monotonic() - began_s >= 0.049
    assert wakefulness.spent_s == LONGEST_S


@pytest.mark.parametrize("timeout", [0, -1])
def test_who_does_not_wait_is_not_held_up(selector, wakefulness, timeout):
    grown(wakefulness)
    assert selector.select(timeout) == []
    assert wakefulness.spent_s == 0.0


def test_an_event_loop_keeps_its_times_and_its_callbacks_with_it(awaited):
    """Timers, another thread's call and sockets, with a window that is open all the time."""
    ours, theirs = socket.socketpair()
    wakefulness = grown(Wakefulness(60.0, awaited))

    async def exchange():
        reader, writer = await asyncio.open_connection(sock=theirs)
        for number in range(50):
            writer.write(b"%03d" % number)
            assert await asyncio.wait_for(reader.readexactly(3), 5) == b"%03d" % number
        await asyncio.to_thread(lambda: None)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await asyncio.sleep(300e-6)
        assert loop.time() - began_s >= 300e-6
        writer.close()

    async def echo():
        reader, writer = await asyncio.open_connection(sock=ours)
        while octets := await reader.read(100):
            writer.write(octets)
        writer.close()

    async def both():
        await asyncio.gather(exchange(), echo())

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(WakefulSelector(wakefulness))) as runner:
        runner.run(both())
    assert wakefulness.spent_s > 0.0
