"""What is counted, and how it reads."""

import pytest

from mmserver.http.metrics import LABEL_SETS_MAX, GaugeUnavailable, Metrics


async def test_counters_histograms_and_gauges_read_as_prometheus_wants_them() -> None:
    metrics = Metrics()
    refusals = metrics.counter("refusals", "Refusals.", "step", "problem")
    refusals.add("10.1.X.1-2", "not-authorised")
    refusals.add("10.1.X.1-2", "not-authorised", by=2)
    seconds = metrics.histogram("answer_seconds", "Time.", "partner")
    for value in (0.001, 0.3, 99.0):
        seconds.observe(value, "mc2")

    async def by_state() -> dict[tuple[str, ...], float]:
        return {("held",): 4.0}

    async def gone() -> dict[tuple[str, ...], float]:
        raise GaugeUnavailable

    metrics.gauge("bindings", "Bindings.", by_state, "state")
    metrics.gauge("pool", "Pool.", gone)
    lines = (await metrics.expose()).decode().splitlines()
    assert 'refusals_total{problem="not-authorised",step="10.1.X.1-2"} 3.0' in lines
    assert 'answer_seconds_bucket{le="0.001",partner="mc2"} 1.0' in lines
    assert 'answer_seconds_bucket{le="0.5",partner="mc2"} 2.0' in lines
    assert 'answer_seconds_bucket{le="+Inf",partner="mc2"} 3.0' in lines
    assert 'answer_seconds_sum{partner="mc2"} 99.301' in lines
    assert 'bindings{state="held"} 4.0' in lines
    assert not any("pool" in line for line in lines)


def test_a_wrong_number_of_labels_is_our_fault() -> None:
    with pytest.raises(AssertionError, match="wanted"):
        Metrics().counter("c", "C.", "a").add()


def test_the_number_of_label_sets_is_bounded() -> None:
    counter = Metrics().counter("c", "C.", "a")
    for number in range(LABEL_SETS_MAX + 10):
        counter.add(str(number))
    assert len(counter.values) == LABEL_SETS_MAX + 1
    assert counter.values[("other",)] == 10
