"""Metric families, read from plain counts when asked for."""

from diameter_proxy.awake import Wakefulness
from diameter_proxy.metrics import ProxyCollector
from diameter_proxy.proxy import Proxy
from diameter_proxy.settings import Settings


class Node:
    def __init__(self):
        self.peers = {}


def test_counts_become_families(made, wire):
    settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", frozenset({b"ims.mc2.lab"}), b"s" * 32)
    proxy = Proxy(settings, made.neighbours(), wire, clock=lambda: 1.0, wall_clock=lambda: 1.0)
    proxy.receive_request("scscf.mc2.lab", made.mar(("bob@ims.mc2.lab", "sip:bob@ims.mc2.lab")))
    proxy.counters.answered(0.001)
    families = {family.name: family for family in ProxyCollector(proxy, Node()).collect()}
    assert families["diameter_requests"].samples[0].labels == {
        "peer": "scscf.mc2.lab",
        "source": "cscf",
        "command": "MAR",
    }
    assert families["diameter_pending"].samples[0].value == 1
    counts = {s.labels["le"]: s.value for s in families["diameter_transaction_seconds"].samples if "le" in s.labels}
    assert (counts["0.0008"], counts["0.0016"], counts["+Inf"]) == (0, 1, 1)


def test_time_spent_awake_is_a_family(made, wire):
    settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", frozenset({b"ims.mc2.lab"}), b"s" * 32)
    proxy = Proxy(settings, made.neighbours(), wire, clock=lambda: 1.0, wall_clock=lambda: 1.0)
    wakefulness = Wakefulness()
    wakefulness.spent(0.25)
    families = {family.name: family for family in ProxyCollector(proxy, Node(), wakefulness=wakefulness).collect()}
    assert families["diameter_awake_seconds"].samples[0].value == 0.25
