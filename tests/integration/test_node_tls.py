"""Who may be at the other end of a TLS connection: the right name from the right authority, nobody else."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.node import ListenerConfig, Node, NodeConfig, PeerConfig
from diameter_proxy.node.certificate import TlsMisconfigured
from tests.integration.nodes_on_loopback import VSAI
from tests.waiting import until

OURS, PARTNER, THIRD = "proxy1.mc1.lab", "proxy1.mc2.lab", "proxy1.mc3.lab"


@dataclass(frozen=True)
class Files:
    """Certificates of one host, and its authority."""

    certificate: Path
    private_key: Path
    ca: Path


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Files]:
    """Return a maker of certificates: (authority, host)."""
    folder = tmp_path_factory.mktemp("tls")
    made: dict[str, trustme.CA] = {}

    def make(authority: str, host: str) -> Files:
        ca = made.setdefault(authority, trustme.CA(organization_name=authority))
        ca_file = folder / f"{authority}.pem"
        ca.cert_pem.write_to_path(ca_file)
        leaf = ca.issue_cert(host)
        certificate, key = folder / f"{authority}-{host}.pem", folder / f"{authority}-{host}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        leaf.private_key_pem.write_to_path(key)
        return Files(certificate, key, ca_file)

    return make


Make = Callable[[str, str], Files]


def acceptor(make: Make) -> NodeConfig:
    ours = make("mc1", OURS)
    peers = (
        PeerConfig(PARTNER, "ims.mc2.lab", tls=True, ca_file=make("mc2", PARTNER).ca),
        PeerConfig(THIRD, "ims.mc3.lab", tls=True, ca_file=make("mc3", THIRD).ca),
    )
    listeners = (ListenerConfig("127.0.0.1", 0, tls=True), ListenerConfig("127.0.0.1", 0))
    return NodeConfig(
        OURS, "ims.mc1.lab", listeners, peers, ours.certificate, ours.private_key, sweep_s=0.01, capabilities_s=10.0
    )


def initiator(files: Files, ca: Path, port: int, *, origin_host: str = PARTNER, server: str = OURS) -> NodeConfig:
    peer = PeerConfig(server, "ims.mc1.lab", connect=True, address="127.0.0.1", port=port, tls=True, ca_file=ca)
    return NodeConfig(
        origin_host,
        "ims.mc2.lab",
        (),
        (peer,),
        files.certificate,
        files.private_key,
        sweep_s=0.01,
        reconnect_s=0.05,
    )


@contextlib.asynccontextmanager
async def running(config: NodeConfig) -> AsyncIterator[Node]:
    node = Node(config, lambda peer, octets: None, lambda event: None)
    await node.start()
    try:
        yield node
    finally:
        await node.stop(deadline_s=0.5)


def port_of(node: Node, listener: int = 0) -> int:
    return int(node.listen[listener].rpartition(":")[2])


async def test_right_name_from_its_own_authority_is_let_in(authorities: Make) -> None:
    files = authorities("mc2", PARTNER)
    async with (
        running(acceptor(authorities)) as node,
        running(initiator(files, authorities("mc1", OURS).ca, port_of(node))) as partner,
    ):
        await until(lambda: node.is_open(PARTNER) and partner.is_open(OURS))
        assert node.peers[PARTNER].tls


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        pytest.param("rogue", PARTNER, id="rogue authority"),
        pytest.param("mc2", "evil.mc2.lab", id="right authority, another name"),
        pytest.param("mc3", PARTNER, id="another partner's authority, right name"),
        pytest.param("mc3", THIRD, id="another partner that calls itself this one"),
    ],
)
async def test_anybody_else_is_refused(authorities: Make, authority: str, host: str) -> None:
    files = authorities(authority, host)
    async with (
        running(acceptor(authorities)) as node,
        running(initiator(files, authorities("mc1", OURS).ca, port_of(node))) as impostor,
    ):
        await until(lambda: impostor.peers[OURS].reason not in ("", "not connected yet"))
        await asyncio.sleep(0.1)
        assert not node.is_open(PARTNER)
        assert not node.is_open(THIRD)
        assert not impostor.is_open(OURS)
        assert node.peers[PARTNER].connections_opened == 0


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        pytest.param("rogue", OURS, id="rogue authority"),
        pytest.param("mc1", "evil.mc1.lab", id="right authority, another name"),
    ],
)
async def test_initiator_refuses_a_server_that_is_not_its_peer(authorities: Make, authority: str, host: str) -> None:
    server, client = authorities(authority, host), authorities("mc2", PARTNER)
    peers = (PeerConfig(PARTNER, "ims.mc2.lab", tls=True, ca_file=client.ca),)
    listeners = (ListenerConfig("127.0.0.1", 0, tls=True),)
    config = NodeConfig(OURS, "ims.mc1.lab", listeners, peers, server.certificate, server.private_key)
    async with (
        running(config) as node,
        running(initiator(client, authorities("mc1", OURS).ca, port_of(node))) as partner,
    ):
        await until(lambda: "certificate verify failed" in partner.peers[OURS].reason)
        assert not node.is_open(PARTNER)


async def test_tls_peer_that_comes_without_tls_hears_5017(authorities: Make) -> None:
    """RFC 6733 §7.1.5, DIAMETER_NO_COMMON_SECURITY."""
    async with running(acceptor(authorities)) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(node, 1))
        avps = [d.ORIGIN_HOST.encode(PARTNER), d.ORIGIN_REALM.encode("ims.mc2.lab"), d.VENDOR_ID.encode(0)]
        writer.write(encode_request(CER, end_to_end=1, avps=[*avps, d.PRODUCT_NAME.encode("x"), VSAI]))
        assert Message.decode(await reader.read(1 << 16)).result() == (0, 5017)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\x16\x03\x01\xff\xff" + bytes(50)])
async def test_garbage_on_the_tls_port_costs_only_its_connection(authorities: Make, garbage: bytes) -> None:
    async with running(acceptor(authorities)) as node:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(node))
        writer.write(garbage)
        writer.write_eof()
        async with asyncio.timeout(30):
            with contextlib.suppress(ConnectionError):
                await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        client = initiator(authorities("mc2", PARTNER), authorities("mc1", OURS).ca, port_of(node))
        async with running(client) as partner:
            await until(lambda: partner.is_open(OURS))


async def test_tls_1_2_is_refused(authorities: Make) -> None:
    files = authorities("mc2", PARTNER)
    context = ssl.create_default_context(cafile=authorities("mc1", OURS).ca)
    context.load_cert_chain(files.certificate, files.private_key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    async with running(acceptor(authorities)) as node:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", port_of(node), ssl=context, server_hostname=OURS)


@pytest.mark.parametrize(("allowed", "code"), [(True, 2001), (False, 5017)])
async def test_tls_1_2_is_for_the_peer_that_may_use_it(authorities: Make, allowed: bool, code: int) -> None:
    """One context accepts both versions as soon as one peer may use 1.2; the others still may not."""
    files = authorities("mc2", PARTNER)
    context = ssl.create_default_context(cafile=authorities("mc1", OURS).ca)
    context.load_cert_chain(files.certificate, files.private_key)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    config = acceptor(authorities)
    rows = tuple(replace(peer, tls_1_2=allowed == (peer.host == PARTNER)) for peer in config.peers)
    async with running(replace(config, peers=rows)) as node:
        port = port_of(node)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=OURS)
        avps = [d.ORIGIN_HOST.encode(PARTNER), d.ORIGIN_REALM.encode("ims.mc2.lab"), d.VENDOR_ID.encode(0)]
        writer.write(encode_request(CER, end_to_end=1, avps=[*avps, d.PRODUCT_NAME.encode("x"), VSAI]))
        octets = await asyncio.wait_for(reader.read(4096), 30)
        assert Message.decode(octets).result() == (0, code)
        writer.close()


@pytest.mark.parametrize("missing", ["certificate", "authority", "file"])
async def test_files_that_are_missing_are_said_at_the_start(authorities: Make, missing: str, tmp_path: Path) -> None:
    files = authorities("mc2", PARTNER)
    ca = {"certificate": files.ca, "authority": None, "file": tmp_path / "absent.pem"}[missing]
    certificate = None if missing == "certificate" else files.certificate
    peer = PeerConfig(OURS, "ims.mc1.lab", connect=True, tls=True, ca_file=ca)
    node = Node(
        NodeConfig(PARTNER, "ims.mc2.lab", (), (peer,), certificate, files.private_key),
        lambda peer, octets: None,
        lambda event: None,
    )
    with pytest.raises(TlsMisconfigured):
        await node.start()
