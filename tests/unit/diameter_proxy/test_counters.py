"""Plain counts."""

from diameter_proxy.diameter.message import encode_answer
from diameter_proxy.hot_path import ANSWERS_MAX, BUCKETS, Counters


def test_requests_and_refusals_are_counted_by_their_kind():
    counters = Counters()
    counters.request("s", "cscf", 303)
    counters.request("s", "cscf", 303)
    counters.request("s", "cscf", 4711)
    counters.refusal(3002, None)
    counters.refusal(None, 5001)
    assert counters.requests == {("s", "cscf", 303): 2, ("s", "cscf", 0): 1}
    assert counters.refused == {("result", 3002): 1, ("experimental", 5001): 1}


def test_a_latency_falls_into_the_bucket_that_ends_above_it():
    counters = Counters()
    for latency_s in (0.00005, 0.00015, 0.0003, 1000.0):
        counters.answered(latency_s)
    assert (counters.latency[0], counters.latency[1], counters.latency[2], counters.latency[BUCKETS]) == (1, 1, 1, 1)
    assert counters.answers_relayed == 4


def test_answers_are_counted_by_peer_command_and_code(made):
    counters = Counters()
    counters.answer("h", 303, made.maa(made.mar()))
    refused = encode_answer(made.mar(), origin_host="h", origin_realm="r", experimental=5001)
    for octets in (refused, refused, bytes(20)):
        counters.answer("h", 303, octets)
    assert counters.answers == {("h", 303, 2001): 1, ("h", 303, 5001): 2, ("h", 303, 0): 1}


def test_codes_that_a_peer_makes_up_do_not_fill_memory(made):
    counters = Counters()
    for code in range(ANSWERS_MAX + 50):
        octets = encode_answer(made.mar(), origin_host="h", origin_realm="r", result_code=10_000 + code)
        counters.answer("h", 303, octets)
    assert len(counters.answers) == ANSWERS_MAX + 1
    assert counters.answers[("h", 303, 0)] == 50
