"""Real nodes around a real proxy, on loopback: CSCFs, HSS, MMS, proxies of other systems, and an HTTPS feed."""

import asyncio
import contextlib
import time
from pathlib import Path

import pytest
import structlog
import trustme
import uvicorn

from diameter_proxy.config import parse_config
from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig
from diameter_proxy.node.node import Node
from diameter_proxy.server import ProxyServer
from tests.integration.diameter_proxy.mms_feed import Feed, Instance
from tests.integration.diameter_proxy.station import DEADLINE_S, PATIENT, Station, vector
from tests.waiting import until


class Lab:
    """What a test has started; everything ends with it."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._stack = contextlib.AsyncExitStack()
        self._authorities = {}

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        await self._stack.aclose()

    def also(self, end, **arguments):
        """Await this when everything ends."""
        self._stack.push_async_callback(end, **arguments)

    def new_station(self, host, realm):
        """Return a neighbour whose node the test starts itself."""
        return Station(host, realm)

    def authority(self, system):
        """Return the file of a system's CA."""
        if system not in self._authorities:
            self._authorities[system] = trustme.CA(organization_name=system)
            self._authorities[system].cert_pem.write_to_path(self._folder / f"{system}-ca.pem")
        return str(self._folder / f"{system}-ca.pem")

    def certificate(self, system, host):
        """Return a [tls] table for a host."""
        self.authority(system)
        leaf = self._authorities[system].issue_cert(host)
        folder = self._folder / host
        folder.mkdir(exist_ok=True)
        leaf.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
        leaf.private_key_pem.write_to_path(folder / "private_key.pem")
        return {"certificate": str(folder / "certificate.pem"), "private_key": str(folder / "private_key.pem")}

    async def station(self, host, realm, peers, *, port=None, **settings):
        """Start a neighbour: it listens, or connects to the proxy at ``port``."""
        station = Station(host, realm)
        connect = port is not None
        config = NodeConfig(
            origin_host=host,
            origin_realm=realm,
            listeners=() if connect else (ListenerConfig("127.0.0.1", 0),),
            peers=tuple(
                PeerConfig(name, realm_of(name), connect=connect, address="127.0.0.1", port=port or 0) for name in peers
            ),
            reconnect_s=0.05,
            reconnect_max_s=0.1,
            **settings,
        )
        station.node = Node(config, station.on_request, lambda event: None, lambda peer, octets: None)
        await station.node.start()
        self._stack.push_async_callback(station.node.stop, deadline_s=0.5)
        return station

    async def feed(self, system, domain):
        """Start an HTTPS feed of ``mms.SYSTEM.lab``; return it and its port."""
        feed = Feed(domain)
        return feed, await self.serve_feed(system, feed, feed.wake)

    async def serve_feed(self, system, feed, wake):
        """Serve an application as an MMS of that system; return its port."""
        tls = self.certificate(system, "localhost")
        config = uvicorn.Config(
            feed,
            host="127.0.0.1",
            port=0,
            log_config=None,
            lifespan="off",
            ws="none",
            ssl_certfile=tls["certificate"],
            ssl_keyfile=tls["private_key"],
            ssl_ca_certs=self.authority(system),
            ssl_cert_reqs=2,
            timeout_graceful_shutdown=1,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve())
        await until(lambda: server.started)

        async def stop():
            server.should_exit = True
            wake()
            await task

        self._stack.push_async_callback(stop)
        return server.servers[0].sockets[0].getsockname()[1]

    async def proxy(self, tables):
        """Start a proxy from the tables of its file."""
        server = ProxyServer(parse_config(tables))
        await server.start()
        self._stack.push_async_callback(server.stop)
        return server

    def tables(self, system, *, name="proxy1", peers=(), feed_port=None, **tables):
        """Return a proxy.toml for a system, with loopback listeners; no budget but what ``budgets`` says is short."""
        host, realm = f"{name}.{system}.lab", f"ims.{system}.lab"
        rendered = {
            "node": {"origin_host": host, "origin_realm": realm, "system": system, "reconnect_s": 0.05},
            "listeners": [{"address": "127.0.0.1", "port": 0}],
            "peers": list(peers),
            **tables,
            "budgets": tables.get("budgets", PATIENT),
        }
        if feed_port is not None:
            rendered["tls"] = self.certificate(system, host)
            rendered["feed"] = {
                "url": f"https://localhost:{feed_port}",
                "ca": self.authority(system),
                "wait_s": 5,
                "retry_max_s": 0.2,
                **rendered.get("feed", {}),
            }
            rendered["hss"] = {"server_name": f"sip:scscf.{system}.lab:6060", **rendered.get("hss", {})}
        return rendered

    async def open(self, station, *peers):
        """Wait until a station's peers are open."""
        await until(lambda: all(station.node.is_open(peer) for peer in peers))


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


def realm_of(host):
    """Return the realm of a node by its name: proxy1.mc1.lab is of ims.mc1.lab."""
    return f"ims.{host.partition('.')[2]}"


def port_of(listening, number=0):
    """Return a port that a node or a proxy really bound."""
    return int(listening.listen[number].rpartition(":")[2])


async def until_async(condition, deadline_s=DEADLINE_S):
    """Wait for a condition that has to be awaited."""
    due = time.monotonic() + deadline_s
    while not await condition():
        assert time.monotonic() < due, "the condition did not come true in time"
        await asyncio.sleep(0.05)


def peer(host, realm, group, **more):
    """Return a [[peers]] table."""
    return {"host": host, "realm": realm, "group": group, **more}


class Tools:
    """What tests take from here besides the lab."""

    until = staticmethod(until)
    until_async = staticmethod(until_async)
    peer = staticmethod(peer)
    port_of = staticmethod(port_of)
    vector = staticmethod(vector)
    patient = PATIENT
    instance = Instance


@pytest.fixture
def tools():
    return Tools


@pytest.fixture
def events():
    """The log events of the test, as dictionaries."""
    with structlog.testing.capture_logs() as found:
        yield found


@pytest.fixture
async def lab(tmp_path, events):
    async with Lab(tmp_path) as running:
        yield running


class Migration:
    """Two MC systems: carol's UE of mc1 is at mc2.  Both proxies, both feeds, S-CSCF and MMS of mc2, HSS of mc1."""

    PARTNER_SET = ("mig-p1@ims.mc2.lab", "sip:mig-p1@ims.mc2.lab", "sip:mig-p1b@ims.mc2.lab")
    PRIMARY_SET = ("mig-h1@ims.mc1.lab", "sip:mig-h1@ims.mc1.lab", "sip:mig-h1b@ims.mc1.lab")
    DEFAULT_SET = ("001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab", "sip:alice2@ims.mc1.lab")
    P1, P2 = "proxy1.mc1.lab", "proxy1.mc2.lab"

    def __init__(self, lab):
        self.lab = lab

    async def start(self, *, tls=False, **tables):
        """Start everything; ``tables`` are more tables of both proxy.toml, ``mc1`` and ``mc2`` of one of them."""
        lab, of = self.lab, {name: tables.pop(name, {}) for name in ("mc1", "mc2")}
        self.feed1, port1 = await lab.feed("mc1", "ims.mc1.lab")
        self.feed2, port2 = await lab.feed("mc2", "ims.mc2.lab")
        self.hss = await lab.station("hss.mc1.lab", "ims.mc1.lab", [self.P1])
        self.hss2 = await lab.station("hss.mc2.lab", "ims.mc2.lab", [self.P2])
        self.mms = await lab.station("mms.mc2.lab", "ims.mc2.lab", [self.P2])
        self.mms1 = await lab.station("mms.mc1.lab", "ims.mc1.lab", [self.P1])
        self.hss.answer = self.hss.multimedia_auth
        self.mms.answer = self.mms.success

        def connected(station, group):
            return peer(
                station.host, station.realm, group, connect=True, address="127.0.0.1", port=port_of(station.node)
            )

        def partner(system, **more):
            secured = {"tls": True, "ca": lab.authority(system)} if tls else {"allow_plain": True}
            return peer(f"proxy1.{system}.lab", f"ims.{system}.lab", "partner", system=system, **secured, **more)

        listeners = [{"address": "127.0.0.1", "port": 0}, {"address": "127.0.0.1", "port": 0, "tls": tls}]
        peers2 = [
            peer("scscf.mc2.lab", "ims.mc2.lab", "cscf"),
            peer("scscf2.mc2.lab", "ims.mc2.lab", "cscf"),
            connected(self.hss2, "hss"),
            connected(self.mms, "mms"),
            partner("mc1"),
        ]
        self.proxy2 = await lab.proxy(
            lab.tables("mc2", peers=peers2, feed_port=port2, **{"listeners": listeners, **tables, **of["mc2"]})
        )
        peers1 = [
            peer("scscf.mc1.lab", "ims.mc1.lab", "cscf"),
            connected(self.hss, "hss"),
            connected(self.mms1, "mms"),
            partner("mc2", connect=True, address="127.0.0.1", port=port_of(self.proxy2, 1)),
        ]
        self.proxy1 = await lab.proxy(lab.tables("mc1", peers=peers1, feed_port=port1, **{**tables, **of["mc1"]}))
        self.scscf = await lab.station("scscf.mc2.lab", "ims.mc2.lab", [self.P2], port=port_of(self.proxy2))
        self.lend()
        await lab.open(self.scscf, self.P2)
        await lab.open(self.hss, self.P1)
        await lab.open(self.mms, self.P2)
        await until(lambda: self.proxy1.node.is_open(self.P2) and self.proxy2.node.is_open(self.P1))
        await until(lambda: all(self.proxy1.node.is_open(one.host) for one in (self.hss, self.mms1)))
        await until(lambda: all(self.proxy2.node.is_open(one.host) for one in (self.hss2, self.mms)))
        await self.in_step()
        return self

    def lend(self):
        """Lend alice her sets, as steps 5 and 10 of 10.1.X.1 do."""
        self.feed1.lend("h1", "primary", "mc2", self.PRIMARY_SET, self.DEFAULT_SET)
        self.feed2.lend("p1", "partner", "mc1", self.PARTNER_SET, self.PRIMARY_SET)

    async def in_step(self):
        """Wait until both proxies have what both feeds have."""
        await self.proxy1_in_step()
        await until(lambda: self.proxy2.proxy.identities.version == self.feed2.version)

    async def proxy1_in_step(self):
        """Wait until the primary's proxy has what its feed has."""
        await until(lambda: self.proxy1.proxy.identities.version == self.feed1.version)

    def mar(self, impi=PARTNER_SET[0], impu=PARTNER_SET[1], **rest):
        return self.scscf.mar(impi, impu, **rest)

    async def ask(self, octets):
        return await self.scscf.ask(self.P2, octets)


@pytest.fixture
async def migration(lab):
    return Migration(lab)
