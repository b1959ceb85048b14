"""What a program counts, and how Prometheus reads it.

Counting is a dict and an addition; prometheus_client formats it when somebody scrapes, and is loaded then.  Gauges are
read when scraped.  The number of label sets of a family is bounded: labels never hold what a caller can choose freely.
"""

import asyncio
import importlib
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prometheus_client import Metric

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
LABEL_SETS_MAX: Final = 1000
OTHER: Final = "other"
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Labels = tuple[str, ...]
ReadGauge = Callable[[], Awaitable[Mapping[Labels, float]]]
"""Returns the value of each label set; raises GaugeUnavailable."""


class GaugeUnavailable(Exception):
    """A gauge cannot be read now: its family is left out of this scrape."""


@dataclass(slots=True)
class Counter:
    """A number of events, by label values."""

    name: str
    text: str
    labels: Labels
    values: dict[Labels, float] = field(default_factory=dict)

    def add(self, *values: str, by: float = 1) -> None:
        """Count ``by`` more under these label values, one for each label."""
        key = _bounded(values, self.labels, self.values)
        self.values[key] = self.values.get(key, 0) + by


@dataclass(slots=True)
class Histogram:
    """A distribution of seconds, by label values."""

    name: str
    text: str
    labels: Labels
    bounds: tuple[float, ...] = SECONDS
    counts: dict[Labels, list[int]] = field(default_factory=dict)
    sums: dict[Labels, float] = field(default_factory=dict)

    def observe(self, seconds: float, *values: str) -> None:
        """Count one event that took so long."""
        key = _bounded(values, self.labels, self.counts)
        counts = self.counts.setdefault(key, [0] * (len(self.bounds) + 1))
        counts[bisect_left(self.bounds, seconds)] += 1
        self.sums[key] = self.sums.get(key, 0.0) + seconds

    def buckets(self, key: Labels) -> list[tuple[str, float]]:
        """Return the cumulated counts by upper bound."""
        cumulated, rows = 0, []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts[key], strict=True):
            cumulated += count
            rows.append((bound, float(cumulated)))
        return rows


@dataclass(frozen=True, slots=True)
class Gauge:
    """A level that is read when it is asked for."""

    name: str
    text: str
    labels: Labels
    read: ReadGauge


class Metrics:
    """All families of one program."""

    def __init__(self) -> None:
        self._families: list[Counter | Histogram | Gauge] = []

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Return a new counter; its exposed name ends in ``_total``."""
        counter = Counter(name, text, labels)
        self._families.append(counter)
        return counter

    def histogram(self, name: str, text: str, *labels: str) -> Histogram:
        """Return a new histogram of seconds."""
        histogram = Histogram(name, text, labels)
        self._families.append(histogram)
        return histogram

    def gauge(self, name: str, text: str, read: ReadGauge, *labels: str) -> None:
        """Have ``read`` asked at every scrape."""
        self._families.append(Gauge(name, text, labels, read))

    async def expose(self) -> bytes:
        """Return everything in the Prometheus text format."""
        # In a thread: the first scrape must not stop the requests while it loads the library.
        await asyncio.to_thread(importlib.import_module, "prometheus_client.core")
        from prometheus_client import CollectorRegistry, generate_latest

        levels = {gauge.name: await _read(gauge) for gauge in self._families if isinstance(gauge, Gauge)}
        registry = CollectorRegistry()
        registry.register(_Snapshot(list(self._families), levels))
        return generate_latest(registry)


class _Snapshot:
    """A Collector of prometheus_client."""

    def __init__(
        self, families: list[Counter | Histogram | Gauge], levels: dict[str, Mapping[Labels, float] | None]
    ) -> None:
        self._families = families
        self._levels = levels

    def collect(self) -> "Iterator[Metric]":
        """Yield each family as it stands."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        for family in self._families:
            match family:
                case Counter():
                    counter = CounterMetricFamily(family.name, family.text, labels=family.labels)
                    for key, value in family.values.items():
                        counter.add_metric(key, value)
                    yield counter
                case Histogram():
                    histogram = HistogramMetricFamily(family.name, family.text, labels=family.labels)
                    for key in family.counts:
                        histogram.add_metric(key, family.buckets(key), family.sums[key])
                    yield histogram
                case Gauge():
                    levels = self._levels[family.name]
                    if levels is None:
                        continue
                    gauge = GaugeMetricFamily(family.name, family.text, labels=family.labels)
                    for key, value in levels.items():
                        gauge.add_metric(key, value)
                    yield gauge


async def _read(gauge: Gauge) -> Mapping[Labels, float] | None:
    try:
        return await gauge.read()
    except GaugeUnavailable:
        return None


def _bounded(values: Labels, labels: Labels, known: Mapping[Labels, object]) -> Labels:
    assert len(values) == len(labels), f"wanted {labels}"
    if values in known or len(known) < LABEL_SETS_MAX:
        return values
    return (OTHER,) * len(labels)
