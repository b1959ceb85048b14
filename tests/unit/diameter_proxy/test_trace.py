"""One identity is followed, for a bounded time, and nobody else."""

import json

import pytest

from diameter_proxy.trace import FOLLOWED_MAX, Tracer, TraceRefused, wanted


class Clock:
    now = 10.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def tracer(clock):
    return Tracer(clock)


def test_a_request_and_what_became_of_it_are_told(tracer):
    heard = []
    tracer.follow("SIP:al@MC1.lab", 5, heard.append)
    tracer.request(b"\0\0\0\1", (b"sip:al@mc1.lab",), command="MAR")
    tracer.request(b"\0\0\0\2", (b"bob@mc1.lab",), command="MAR")
    tracer.message("answer", b"\0\0\0\1", result="2001")
    tracer.message("answer", b"\0\0\0\2", result="2001")
    assert [(event["event"], event["end_to_end"]) for event in heard] == [
        ("request", "00000001"),
        ("answer", "00000001"),
    ]


def test_the_time_is_bounded(tracer, clock):
    heard = []
    tracer.follow("al@mc1.lab", 5, heard.append)
    clock.now = 15.0
    tracer.request(b"\0\0\0\1", (b"al@mc1.lab",))
    assert heard == []
    tracer.stop("al@mc1.lab")
    assert not tracer.is_active
    tracer.stop("al@mc1.lab")


def test_few_are_followed_at_a_time_and_each_once(tracer):
    for number in range(FOLLOWED_MAX):
        tracer.follow(f"u{number}@mc1.lab", 5, lambda event: None)
    for name in ("u0@mc1.lab", "more@mc1.lab"):
        with pytest.raises(TraceRefused):
            tracer.follow(name, 5, lambda event: None)


@pytest.mark.parametrize(
    "seconds",
    ["NaN", "Infinity", "-Infinity", "-1", "0", "0.5", "300.5", "1e300", "9" * 400, "[]", "null", '"x"', "true"],
)
def test_only_a_finite_time_within_the_bounds_is_taken(seconds):
    with pytest.raises(TraceRefused, match="seconds: a number from 1 to 300 is wanted"):
        wanted(json.loads(f'{{"identity": "al@mc1.lab", "seconds": {seconds}}}'))


@pytest.mark.parametrize("identity", ["null", '""', "[]", "5", '"\\ud800"', json.dumps("x" * 256)])
def test_only_a_text_is_an_identity(identity):
    with pytest.raises(TraceRefused, match="identity: 1 to 255 characters are wanted"):
        wanted(json.loads(f'{{"identity": {identity}, "seconds": 5}}'))


def test_the_bounds_are_within_and_30_seconds_go_without_saying():
    assert [wanted({"identity": "al", "seconds": seconds})[1] for seconds in (1, 2.5, 300)] == [1.0, 2.5, 300.0]
    assert wanted({"identity": "al"}) == ("al", 30.0)
