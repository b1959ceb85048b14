"""Plain counts."""

from diameter_proxy.counters import BUCKETS, Counters


def test_requests_and_refusals_are_counted_by_their_kind():
    counters = Counters()
    counters.request("cscf", 303)
    counters.request("cscf", 303)
    counters.refusal(3002, None)
    counters.refusal(None, 5001)
    assert counters.requests == {("cscf", 303): 2}
    assert counters.refused == {("result", 3002): 1, ("experimental", 5001): 1}


def test_a_latency_falls_into_the_bucket_that_ends_above_it():
    counters = Counters()
    for latency_s in (0.00005, 0.00015, 0.0003, 1000.0):
        counters.answered(latency_s)
    assert (counters.latency[0], counters.latency[1], counters.latency[2], counters.latency[BUCKETS]) == (1, 1, 1, 1)
    assert counters.answers_relayed == 4
