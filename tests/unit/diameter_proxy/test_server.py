"""The program is put together from its configuration before anything is listened on."""

from diameter_proxy.config import parse_config
from diameter_proxy.server import ProxyServer


def test_a_server_has_a_node_and_a_proxy_of_its_file():
    server = ProxyServer(
        parse_config(
            {
                "node": {"origin_host": "p.lab", "origin_realm": "r.lab"},
                "peers": [{"host": "h.lab", "realm": "r.lab", "group": "hss"}],
            }
        )
    )
    assert list(server.node.peers) == ["h.lab"]
    assert server.metrics_port is None
    assert server.proxy.pending_count == 0
