"""Prometheus metrics: a Collector that reads the counters when it is asked, and a small HTTP listener of our own loop.

The listener knows ``GET /metrics`` and nothing else; prometheus_client is loaded at the first scrape.
"""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from diameter_proxy.awake import Wakefulness
from diameter_proxy.feed_status import FeedStatus
from diameter_proxy.hot_path import BUCKETS, FIRST_BUCKET_S
from diameter_proxy.logs import LineWriter
from diameter_proxy.node.listener import ListenFailed
from diameter_proxy.node.node import Node
from diameter_proxy.node.taken_port import why_not_bound
from diameter_proxy.proxy import Proxy
from diameter_proxy.routing import NAMES

if TYPE_CHECKING:
    from prometheus_client import Metric

REQUEST_OCTETS_MAX: Final = 8192
READ_S: Final = 5.0
CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


class ProxyCollector:
    """What the proxy and its node count, as metric families."""

    def __init__(
        self,
        proxy: Proxy,
        node: Node,
        feed: Callable[[], FeedStatus | None] = lambda: None,
        wakefulness: Wakefulness | None = None,
    ) -> None:
        """Take what tells how the feed stands now, for a reload may exchange it, and how the loop waits."""
        self._proxy: Final = proxy
        self._node: Final = node
        self._feed: Final = feed
        self._wakefulness: Final = wakefulness or Wakefulness()

    def collect(self) -> "Iterator[Metric]":
        """Yield all families as they stand."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        counters, identities = self._proxy.counters, self._proxy.identities
        requests = CounterMetricFamily("diameter_requests", "Requests received.", labels=("peer", "source", "command"))
        for (peer, source, command), count in counters.requests.items():
            requests.add_metric((peer, source, NAMES.get(command, "other")), count)
        yield requests
        answers = CounterMetricFamily("diameter_answers", "Answers received.", labels=("peer", "command", "code"))
        for (peer, command, code), count in counters.answers.items():
            answers.add_metric((peer, NAMES.get(command, "other"), str(code) if code else "other"), count)
        yield answers
        refused = CounterMetricFamily("diameter_refusals", "Requests answered by us.", labels=("kind", "code"))
        for (kind, code), count in counters.refused.items():
            refused.add_metric((kind, str(code)), count)
        yield refused
        routed = CounterMetricFamily("diameter_routed", "Requests by the route they took.", labels=("route",))
        for name, count in counters.routed.items():
            routed.add_metric((name.lower(),), count)
        yield routed
        yield HistogramMetricFamily(
            "diameter_transaction_seconds",
            "From a request to its answer.",
            buckets=_buckets(counters.latency),
            sum_value=counters.latency_sum_s,
        )
        for name, text, count in (
            ("answers_relayed", "Answers that went back.", counters.answers_relayed),
            ("answers_discarded", "Answers that nobody waited for.", counters.answers_discarded),
            ("answers_refused", "MAAs that failed the checks.", counters.answers_refused),
            ("answers_undeliverable", "Answers whose asker was gone.", counters.answers_undeliverable),
            ("resent", "Requests sent to an alternate.", counters.resent),
            ("expired", "Requests that nobody answered in time.", counters.expired),
            ("duplicates_joined", "Duplicates that joined a pending request.", counters.duplicates_joined),
            ("duplicates_answered", "Duplicates answered from memory.", counters.duplicates_answered),
            ("look_ups", "Identities asked for at the MMS.", counters.look_ups),
            ("look_ups_failed", "Look-ups without an answer in time.", counters.look_ups_failed),
            ("home_deregistrations", "RTRs of the HSS for migrated users.", counters.home_deregistrations),
            ("faults", "Faults of ours.", counters.faults),
            ("log_lines_suppressed", "Log lines left out by the limit.", self._proxy.suppressed_lines),
            ("log_lines_lost", "Log lines that could not be written.", LineWriter.lost),
        ):
            yield CounterMetricFamily(f"diameter_{name}", text, value=count)
        yield CounterMetricFamily(
            "diameter_awake_seconds", "Spent looking for answers that come soon.", value=self._wakefulness.spent_s
        )
        yield GaugeMetricFamily("diameter_pending", "Requests that wait.", value=self._proxy.pending_count)
        yield GaugeMetricFamily("diameter_parked", "Look-ups' requests.", value=self._proxy.look_ups.parked_count)
        map_size = GaugeMetricFamily("diameter_identity_map", "Size of the identity map.", labels=("what",))
        for what, size in identities.counts().items():
            map_size.add_metric((what,), size)
        yield map_size
        age_s = identities.age_s(time.monotonic())
        yield GaugeMetricFamily(
            "diameter_identity_map_age_seconds", "-1: never loaded.", value=-1 if age_s is None else age_s
        )
        feed = self._feed()
        if feed is not None:
            yield from _feed_families(feed)
        yield from self._peers()

    def _peers(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        is_open = GaugeMetricFamily("diameter_peer_open", "1: requests may be sent.", labels=("peer", "group"))
        unsent = GaugeMetricFamily("diameter_peer_unsent_octets", "Octets that wait.", labels=("peer",))
        messages = CounterMetricFamily("diameter_peer_messages", "Messages.", labels=("peer", "direction"))
        for host, status in self._node.peers.items():
            is_open.add_metric((host, status.group), int(status.is_open))
            unsent.add_metric((host,), status.unsent_octets)
            messages.add_metric((host, "received"), status.messages_received)
            messages.add_metric((host, "sent"), status.messages_sent)
        yield is_open
        yield unsent
        yield messages


def _feed_families(feed: FeedStatus) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    followed = GaugeMetricFamily("diameter_feed_followed", "1: the MMS that is followed.", labels=("mms",))
    failures = CounterMetricFamily("diameter_feed_failures", "Attempts without an answer of use.", labels=("mms",))
    for mms in feed.instances:
        followed.add_metric((mms,), int(mms == feed.mms))
        failures.add_metric((mms,), feed.failures[mms])
    yield followed
    yield failures
    yield GaugeMetricFamily("diameter_feed_up", "1: the last attempt was answered.", value=int(not feed.is_failing))
    yield CounterMetricFamily("diameter_feed_switches", "Times that another MMS was followed.", value=feed.switches)
    yield GaugeMetricFamily(
        "diameter_feed_last_success_timestamp_seconds", "POSIX time; 0: never.", value=feed.succeeded_at or 0
    )
    yield GaugeMetricFamily(
        "diameter_feed_acknowledged_version", "-1: none.", value=-1 if feed.acknowledged is None else feed.acknowledged
    )


class MetricsListener:
    """An HTTP listener for scrapes."""

    def __init__(self, collector: ProxyCollector, address: str, port: int) -> None:
        self._collector: Final = collector
        self._address: Final = address
        self.wanted_port: Final = port
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ListenFailed: the address cannot be bound.
        """
        bound = socket.socket(socket.AF_INET6 if ":" in self._address else socket.AF_INET)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if bound.family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((self._address, self.wanted_port))
            bound.listen()
        except OSError as exc:
            bound.close()
            raise ListenFailed(f"metrics: {why_not_bound(self._address, self.wanted_port, exc)}") from exc
        except (OverflowError, ValueError) as exc:  # no port, no name
            bound.close()
            raise ListenFailed(f"metrics: {self._address}:{self.wanted_port}: {exc}") from exc
        self._server = await asyncio.start_server(self._serve, sock=bound, limit=REQUEST_OCTETS_MAX)

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    @property
    def port(self) -> int:
        """The port that is really bound."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, TimeoutError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(READ_S):
                head = await reader.readuntil(b"\r\n\r\n")
                status, body = b"404 Not Found", b"only GET /metrics\n"
                method, target, *_ = head.split(b" ", 2)
                if method == b"GET" and target.partition(b"?")[0] == b"/metrics":
                    status, body = b"200 OK", self._text()
                writer.write(
                    b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                    % (status, CONTENT_TYPE, len(body), body)
                )
                await writer.drain()
        writer.close()

    def _text(self) -> bytes:
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(self._collector)
        return generate_latest(registry)


def _buckets(counts: list[int]) -> list[tuple[str, float]]:
    """Return cumulative buckets; bucket n ends at ``FIRST_BUCKET_S`` times two to the n."""
    cumulated, rows = 0, []
    for number, count in enumerate(counts[:BUCKETS]):
        cumulated += count
        rows.append((f"{FIRST_BUCKET_S * 2**number:g}", float(cumulated)))
    return [*rows, ("+Inf", float(cumulated + counts[BUCKETS]))]
