"""Real nodes around a real proxy, on loopback: CSCFs, HSS, MMS, proxies of other systems, and an HTTPS feed."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
import structlog
import trustme
import uvicorn

from diameter_proxy.config import parse_config
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, LIR, MAR, RTR, SAR, TGPP, UAR
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.wire import REQUEST
from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig
from diameter_proxy.node.node import Node
from diameter_proxy.server import ProxyServer
from mmserver.messages import FeedEntry, FeedPage, FeedRows, IdentitySet, LentRange

DEADLINE_S = 5.0
VSAI = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX))
AKA = "Digest-AKAv1-MD5"
RAND_AUTN = bytes(range(32))
XRES = bytes.fromhex("a1a2a3a4a5a6a7a8")


def vector(scheme=AKA, authenticate=RAND_AUTN, xres=XRES, item_number=1):
    """Return a SIP-Auth-Data-Item as an HSS makes it (TS 29.229 §6.3.13)."""
    parts = [d.SIP_ITEM_NUMBER.encode(item_number)] if item_number else []
    parts += [
        d.SIP_AUTHENTICATION_SCHEME.encode(scheme),
        d.SIP_AUTHENTICATE.encode(authenticate),
        d.SIP_AUTHORIZATION.encode(xres),
        d.CONFIDENTIALITY_KEY.encode(bytes(16)),
        d.INTEGRITY_KEY.encode(bytes(range(16))),
    ]
    return d.SIP_AUTH_DATA_ITEM.encode(b"".join(parts))


class Station:
    """A neighbour: answers requests with ``answer(message) -> octets | None`` and keeps what it got."""

    def __init__(self, host, realm):
        self.host, self.realm = host, realm
        self.got = []
        self.answer = lambda message: None
        self.node = None
        self._session = 0

    def on_request(self, peer, octets):
        message = Message.decode(octets)
        self.got.append(message)
        answer = self.answer(message)
        if asyncio.iscoroutine(answer):
            raise TypeError("answer now or send later")
        if answer is not None:
            self.node.send(peer, answer)

    def success(self, message, *avps, result_code=2001, experimental=None, flags=None):
        """Return an answer in this station's name."""
        result = {"experimental": experimental} if experimental else {"result_code": result_code}
        return encode_answer(message, origin_host=self.host, origin_realm=self.realm, avps=avps, **result)

    def multimedia_auth(self, message, *items, user_name=None, public=None):
        """Return an MAA with the identities asked for, unless told others."""
        avps = [
            d.USER_NAME.encode(user_name or message.require(d.USER_NAME)),
            d.PUBLIC_IDENTITY.encode(public or message.require(d.PUBLIC_IDENTITY)),
            d.SIP_NUMBER_AUTH_ITEMS.encode(1),
            *(items or (vector(),)),
        ]
        return self.success(message, *avps)

    def common(self, realm, host=None):
        """Return the AVPs that every Cx request of Kamailio begins with."""
        self._session += 1
        avps = [
            d.SESSION_ID.encode(f"{self.host};42;{self._session}"),
            VSAI,
            d.AUTH_SESSION_STATE.encode(1),
            d.ORIGIN_HOST.encode(self.host),
            d.ORIGIN_REALM.encode(self.realm),
            d.DESTINATION_REALM.encode(realm),
        ]
        return avps + ([d.DESTINATION_HOST.encode(host)] if host else [])

    def request(self, command, *avps, realm=None, host=None, end_to_end=None):
        """Return a request of this station."""
        number = self.node.next_end_to_end() if end_to_end is None else end_to_end
        common = self.common(realm or self.realm, host)
        return encode_request(command, end_to_end=number, avps=[*common, *avps])

    def mar(self, impi, impu, *, item=None, number=1, more=(), **rest):
        """Return a MAR as Kamailio's S-CSCF sends it."""
        avps = [
            d.PUBLIC_IDENTITY.encode(impu),
            d.USER_NAME.encode(impi),
            d.SIP_NUMBER_AUTH_ITEMS.encode(number),
            item or d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode(AKA)),
            d.SERVER_NAME.encode(f"sip:{self.host}:6060"),
            *more,
        ]
        return self.request(MAR, *avps, **rest)

    def uar(self, impi, impu, **rest):
        """Return a UAR as Kamailio's I-CSCF sends it."""
        visited = d.VISITED_NETWORK_IDENTIFIER.encode(self.realm.encode())
        return self.request(UAR, d.USER_NAME.encode(impi), d.PUBLIC_IDENTITY.encode(impu), visited, **rest)

    def sar(self, impi, impu, kind=1, server_name=None, **rest):
        """Return a SAR as Kamailio's S-CSCF sends it, its stray AVP 494 of vendor 50 included."""
        stray = bytes.fromhex("000001eec00000130000003263616c6c2d696400")
        avps = (
            stray,
            d.PUBLIC_IDENTITY.encode(impu),
            d.SERVER_NAME.encode(server_name or f"sip:{self.host}:6060"),
            d.USER_NAME.encode(impi),
            d.SERVER_ASSIGNMENT_TYPE.encode(kind),
            d.USER_DATA_ALREADY_AVAILABLE.encode(0),
        )
        return self.request(SAR, *avps, **rest)

    def lir(self, impu, **rest):
        """Return a LIR."""
        return self.request(LIR, d.PUBLIC_IDENTITY.encode(impu), **rest)

    def rtr(self, impi, *impus, host, **rest):
        """Return an RTR."""
        reason = d.DEREGISTRATION_REASON.encode(d.REASON_CODE.encode(0))
        return self.request(
            RTR, d.USER_NAME.encode(impi), *map(d.PUBLIC_IDENTITY.encode, impus), reason, host=host, **rest
        )

    async def ask(self, peer, octets, deadline_s=DEADLINE_S):
        """Send a request and return its answer."""
        return Message.decode(await self.node.request(peer, octets, deadline_s))

    def requests(self, command):
        """Return the requests of a kind that came here."""
        return [m for m in self.got if m.header.command_code == command.code and m.header.flags & REQUEST]


class Feed:
    """A small MMS: long poll, look-up, acknowledgements and events over HTTPS with mutual TLS."""

    def __init__(self, domain, prefix="mig-"):
        self.lent_range = LentRange(domain=domain, prefix=prefix)
        self.entries = {}
        self.hidden = {}
        self.version = 1
        self.resets = False
        self.acknowledged = []
        self.events = []
        self.uses = []
        self.looked_up = []
        self.is_down = False
        self.look_up_delay_s = 0.0
        self._changed = asyncio.Event()

    def lend(self, binding, role, other, identities, counterpart, *, told=True, **changes):
        """Enter or change a binding; with ``told=False`` only a look-up finds it."""
        self.version += 1
        fields = {
            "binding": binding,
            "version": self.version,
            "role": role,
            "other_mc_system": other,
            "enabled": True,
            "not_after": datetime.fromtimestamp(time.time() + 3600, UTC),
            "identities": IdentitySet(private_user_identity=identities[0], public_user_identities=identities[1:]),
            "counterpart": IdentitySet(private_user_identity=counterpart[0], public_user_identities=counterpart[1:]),
            "provisioned": True,
        }
        entry = FeedEntry(**{**fields, **changes})
        (self.entries if told else self.hidden)[binding] = entry
        if told:
            self.wake()
        else:
            self.version += 1
            self.hidden[binding] = entry.model_copy(update={"version": self.version + 1})
        return entry

    def change(self, binding, **changes):
        """Change fields of a binding; the next page holds it."""
        self.version += 1
        self.entries[binding] = self.entries[binding].model_copy(update={**changes, "version": self.version})
        self.wake()

    def wake(self):
        self._changed.set()
        self._changed = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        status, content = 503, b""
        if not self.is_down:
            status, content = await self.respond(scope, body)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": content})

    async def respond(self, scope, body):
        path = scope["raw_path"].decode().split("?")[0]
        if path == "/feed/v1/changes":
            query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&"))
            return 200, await self.page(int(query["after"]), float(query["wait_s"]), int(query["limit"]))
        if path == "/feed/v1/rows":
            query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&"))
            return 200, self.rows(int(query["after"]), int(query["limit"]))
        if path.startswith("/feed/v1/identities/"):
            wanted = unquote(path.rpartition("/")[2])
            self.looked_up.append(wanted)
            await asyncio.sleep(self.look_up_delay_s)
            for entry in (*self.entries.values(), *self.hidden.values()):
                named = (entry.identities.private_user_identity, *entry.identities.public_user_identities)
                if wanted in named:
                    return 200, entry.model_dump_json().encode()
            return 404, b"{}"
        if path == "/feed/v1/acknowledgement":
            self.acknowledged.append(json.loads(body))
            return 204, b""
        if path == "/feed/v1/uses":
            self.uses.append(json.loads(body))
            return 204, b""
        if path == "/feed/v1/events":
            self.events.append(json.loads(body))
            return 204, b""
        return 404, b""

    async def page(self, after, wait_s, limit):
        reset = self.resets
        if reset:
            after, self.resets = 0, False
        found = self.after(after)
        if not found and not reset and wait_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)
            found = self.after(after)
        page = found[:limit]
        complete = len(found) <= limit
        version = self.version if complete else page[-1].version
        return (
            FeedPage(lent_range=self.lent_range, version=version, reset=reset, complete=complete, entries=tuple(page))
            .model_dump_json()
            .encode()
        )

    def rows(self, after, limit):
        """Return a large page: a row for each entry."""
        reset = self.resets
        if reset:
            after, self.resets = 0, False
        found = self.after(after)
        page, complete = found[:limit], len(found) <= limit
        version = self.version if complete else page[-1].version
        rows = tuple(map(row_of, page))
        return (
            FeedRows(lent_range=self.lent_range, version=version, reset=reset, complete=complete, rows=rows)
            .model_dump_json()
            .encode()
        )

    def after(self, version):
        return sorted((e for e in self.entries.values() if e.version > version), key=lambda e: e.version)


class Instance:
    """One more MMS over the database of a feed, which may be down by itself."""

    def __init__(self, feed):
        self.feed, self.is_down, self.asked = feed, False, []

    async def __call__(self, scope, receive, send):
        self.asked.append(scope.get("path", ""))
        if not self.is_down:
            await self.feed(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def row_of(entry):
    """Return an entry of the feed as a row (``FeedRow``)."""
    mine, theirs = (
        (one.private_user_identity, *one.public_user_identities) for one in (entry.identities, entry.counterpart)
    )
    return (
        entry.binding, entry.version, entry.deleted, entry.role, entry.other_mc_system, entry.enabled,
        entry.not_after.timestamp(), entry.provisioned, mine, theirs,
    )  # fmt: skip


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
        """Return a proxy.toml for a system, with loopback listeners."""
        host, realm = f"{name}.{system}.lab", f"ims.{system}.lab"
        rendered = {
            "node": {"origin_host": host, "origin_realm": realm, "system": system, "reconnect_s": 0.05},
            "listeners": [{"address": "127.0.0.1", "port": 0}],
            "peers": list(peers),
            **tables,
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


async def until(condition: Callable[[], object], deadline_s=DEADLINE_S):
    """Wait for a condition; the test fails when the deadline passes."""
    due = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < due, "the condition did not come true in time"
        await asyncio.sleep(0.01)


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
