"""A core of real Kamailios in a namespace of the test's own, with a UE and a SIP database that do as they are told.

The database stands where the Diameter proxies stand; its faults (an error, silence, an answer without identities) are
what no HSS would do on request. All addresses of the core lie on the namespace's loopback interface.
"""

import ctypes
import os
import re
import secrets
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from diameter_proxy.diameter import commands as c
from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.values import DisconnectCause, ReasonCode
from diameter_proxy.diameter.wire import FrameBuffer
from lab.render.kamailio import CscfValues, Endpoint, PartnerCore, Role, render_cscf
from ue_agent.aka import digest
from ue_agent.aka.aka import generate_vector, verify_auts
from ue_agent.aka.errors import SynchronisationFailure
from ue_agent.aka.isim import Isim
from ue_agent.aka.milenage import Milenage
from ue_agent.aka.sequence import next_sqn

DOMAIN = "ims.mc1.lab"
ROLES: tuple[Role, ...] = ("pcscf", "icscf", "scscf")
K, OPC = bytes(range(16)), bytes(range(16, 32))
READY_WITHIN_S = 60.0
CLONE_NEWNET = 0x40000000
SCSCF = "sip:scscf.mc1.lab:6060"

VALUES = CscfValues(
    domain=DOMAIN,
    realm=DOMAIN,
    pcscf=Endpoint("pcscf.mc1.lab", "10.77.1.10"),
    icscf=Endpoint("icscf.mc1.lab", "10.77.1.11"),
    scscf=Endpoint("scscf.mc1.lab", "10.77.1.12"),
    proxies=(Endpoint("proxy1.mc1.lab", "10.77.1.14"), Endpoint("proxy2.mc1.lab", "10.77.1.15")),
    partners=(
        PartnerCore("ims.mc2.lab", Endpoint("icscf.mc2.lab", "10.77.2.11"), Endpoint("scscf.mc2.lab", "10.77.2.12")),
    ),
)
ADDRESSES = [f"10.77.1.{host}/24" for host in (10, 11, 12, 13, 14, 15, 21, 22, 66)] + ["10.77.2.11/24", "10.77.2.12/24"]


class Network:
    """One namespace, and sockets in it."""

    def __init__(self, hosts: Path) -> None:
        self.name = f"mclab-kam-{secrets.token_hex(3)}"
        self.hosts = hosts
        self.hosts_apart: list[str] = []
        hss = Endpoint("hss.mc1.lab", "10.77.1.13")
        named = [VALUES.pcscf, VALUES.icscf, VALUES.scscf, *VALUES.proxies, hss]
        hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{host.address} {host.host}\n" for host in named))
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        batch = "link set lo up\n" + "".join(f"addr add {address} dev lo\n" for address in ADDRESSES)
        subprocess.run(["ip", "-n", self.name, "-batch", "-"], input=batch, text=True, check=True)

    def attach(self, host: str, address: str) -> str:
        """Make a host of its own on a cable to the core; return its namespace."""
        name = f"{self.name}-{host}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.hosts_apart.append(name)
        cable = f"link add {host} type veth peer name eth0 netns {name}\nlink set {host} up\n"
        cable += f"route add {address}/32 dev {host}\n"
        subprocess.run(["ip", "-n", self.name, "-batch", "-"], input=cable, text=True, check=True)
        inside = f"link set lo up\naddr add {address}/24 dev eth0\nlink set eth0 up\n"
        subprocess.run(["ip", "-n", name, "-batch", "-"], input=inside, text=True, check=True)
        return name

    def remove(self) -> None:
        """Remove the namespaces."""
        for name in [*self.hosts_apart, self.name]:
            subprocess.run(["ip", "netns", "del", name], check=True)

    def argv(self, argv: list[str], host: str = "") -> list[str]:
        """Return the command that runs ``argv`` inside, or on a host apart."""
        script = 'mount --bind "$0" /etc/hosts && exec "$@"'
        inside = ["unshare", "--mount", "sh", "-c", script, str(self.hosts), *argv]
        return ["nsenter", f"--net=/run/netns/{host or self.name}", *inside]

    def socket(self, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
        """Return a socket bound to an address inside."""
        with self._entered():
            opened = socket.socket(socket.AF_INET, kind)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        return opened

    @contextmanager
    def _entered(self) -> Iterator[None]:
        with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{self.name}").open() as inside:
            _set_namespace(inside.fileno())
            try:
                yield
            finally:
                _set_namespace(home.fileno())


def _set_namespace(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Kamailio:
    """One CSCF as a process."""

    def __init__(self, network: Network, role: Role, directory: Path, values: CscfValues = VALUES) -> None:
        self.role = role
        self.log = directory / f"{role}.log"
        argv = render_cscf(role, values, directory / "etc" / role)
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(network.argv(argv), stdout=log, stderr=log)

    def text(self) -> str:
        """Return what it has logged so far."""
        return self.log.read_text(errors="replace")

    def is_ready(self) -> bool:
        """Whether it has said so."""
        return '{"event":"ready"' in self.text()

    def wait_ready(self) -> float:
        """Return the seconds from start to ready."""
        while not self.is_ready():
            if self.popen.poll() is not None or time.monotonic() > self.started + READY_WITHIN_S:
                pytest.fail(f"{self.role} is not ready:\n{self.text()[-4000:]}")
            time.sleep(0.01)
        return time.monotonic() - self.started

    def stop(self) -> None:
        """End it as an operator would."""
        self.popen.terminate()
        self.popen.wait(60)


@dataclass
class Database:
    """What stands behind the CSCFs' Diameter connections: answers as a HSS would, unless told otherwise.

    ``fault`` is called with each Cx request; it returns None for the usual answer, b"" for silence, or an answer.
    """

    network: Network
    fault: Callable[[Message], bytes | None] = lambda _request: None
    requests: list[tuple[str, str]] = field(default_factory=list)
    answers: list[Message] = field(default_factory=list)
    resynchronised: int = 0
    also: dict[str, str] = field(default_factory=dict)
    """Identity -> another one of its implicit registration set."""
    _sqn: int = 0
    _listeners: dict[str, socket.socket] = field(default_factory=dict)
    _connections: dict[tuple[str, str], socket.socket] = field(default_factory=dict)

    def start(self) -> None:
        """Listen as both proxies."""
        for proxy in VALUES.proxies:
            self.start_proxy(proxy.host, proxy.address)

    def start_proxy(self, host: str, address: str) -> None:
        """Listen as one of them."""
        listener = self.network.socket(socket.SOCK_STREAM, address, 3868)
        listener.listen()
        self._listeners[host] = listener
        threading.Thread(target=self._accept, args=(host, listener), daemon=True).start()

    def leave(self, host: str) -> None:
        """End one proxy as an operator would: DPR on every connection, then close."""
        self._listeners[host].shutdown(socket.SHUT_RDWR)
        avps = [d.ORIGIN_HOST.encode(host), d.ORIGIN_REALM.encode(DOMAIN)]
        request = encode_request(
            c.DPR, hop_by_hop=8, end_to_end=8, avps=[*avps, d.DISCONNECT_CAUSE.encode(DisconnectCause.REBOOTING)]
        )
        for key in [key for key in self._connections if key[0] == host]:
            self._connections[key].sendall(request)
        time.sleep(0.2)
        self.stop(host)

    def stop(self, host: str | None = None) -> None:
        """Close what one proxy, or both, have open, as a crash would."""
        for name in [host] if host else list(self._listeners):
            listener = self._listeners.pop(name)
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            for key in [key for key in self._connections if key[0] == name]:
                connection = self._connections.pop(key)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                connection.close()

    def is_peer_of_all(self) -> bool:
        """Whether both proxies have a connection of the I- and of the S-CSCF."""
        return len(self._connections) == 2 * len(VALUES.proxies)

    def deregister(self, impi: str, *impus: str) -> None:
        """Send an RTR to the S-CSCF."""
        reason = d.REASON_CODE.encode(ReasonCode.PERMANENT_TERMINATION)
        request = encode_request(
            c.RTR,
            hop_by_hop=7,
            end_to_end=7,
            avps=[
                d.SESSION_ID.encode("hss;1;1"),
                _VSAI,
                d.AUTH_SESSION_STATE.encode(_NO_STATE),
                d.ORIGIN_HOST.encode("hss.mc1.lab"),
                d.ORIGIN_REALM.encode(DOMAIN),
                d.DESTINATION_HOST.encode("scscf.mc1.lab"),
                d.DESTINATION_REALM.encode(DOMAIN),
                d.USER_NAME.encode(impi),
                *(d.PUBLIC_IDENTITY.encode(impu) for impu in impus),
                d.DEREGISTRATION_REASON.encode(reason),
            ],
        )
        self._connections["proxy1.mc1.lab", "scscf.mc1.lab"].sendall(request)

    def error(self, request: Message, host: str = "proxy1.mc1.lab", **result: int) -> bytes:
        """Return an error answer with the request's identities."""
        identities = [row.encode(value) for row in (d.USER_NAME, d.PUBLIC_IDENTITY) if (value := request.get(row))]
        return encode_answer(request, origin_host=host, origin_realm=DOMAIN, avps=identities, **result)

    def _accept(self, host: str, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(host, connection), daemon=True).start()

    def _serve(self, host: str, connection: socket.socket) -> None:
        frames = FrameBuffer()
        with suppress(OSError), connection:
            while data := connection.recv(1 << 16):
                for octets in frames.receive_data(data):
                    self._receive(host, connection, Message.decode(octets))

    def _receive(self, host: str, connection: socket.socket, message: Message) -> None:
        if not message.header.is_request:
            self.answers.append(message)
            return
        if message.header.command_code == c.CER.code:
            self._connections[host, message.require(d.ORIGIN_HOST)] = connection
        answer = self._answer(host, message)
        if answer:
            connection.sendall(answer)

    def _answer(self, host: str, request: Message) -> bytes:
        if request.header.command_code in (c.CER.code, c.DWR.code, c.DPR.code):
            capabilities = [d.VENDOR_ID.encode(c.TGPP), d.PRODUCT_NAME.encode("test"), _VSAI]
            capabilities.append(d.SUPPORTED_VENDOR_ID.encode(c.TGPP))
            avps = capabilities if request.header.command_code == c.CER.code else []
            return encode_answer(request, origin_host=host, origin_realm=DOMAIN, result_code=2001, avps=avps)
        name = {c.UAR.code: "UAR", c.MAR.code: "MAR", c.SAR.code: "SAR", c.LIR.code: "LIR"}[request.header.command_code]
        self.requests.append((host, name))
        faulty = self.fault(request)
        if faulty is not None:
            return faulty
        avps = {"UAR": self._uaa, "MAR": self._maa, "SAR": self._saa, "LIR": self._uaa}[name](request)
        return encode_answer(request, origin_host=host, origin_realm=DOMAIN, result_code=2001, avps=avps)

    def _uaa(self, _request: Message) -> list[bytes]:
        return [d.SERVER_NAME.encode(SCSCF)]

    def _maa(self, request: Message) -> list[bytes]:
        asked = request.group(d.SIP_AUTH_DATA_ITEM)
        resynchronisation = asked.get(d.SIP_AUTHORIZATION) if asked else None
        if resynchronisation:
            self.resynchronised += 1
            self._sqn = verify_auts(Milenage(K, OPC), resynchronisation[:16], resynchronisation[16:])
        self._sqn = next_sqn(self._sqn, 0)
        vector = generate_vector(Milenage(K, OPC), secrets.token_bytes(16), self._sqn, b"\x80\x00")
        item = [
            d.SIP_ITEM_NUMBER.encode(1),
            d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5"),
            d.SIP_AUTHENTICATE.encode(vector.rand + vector.autn),
            d.SIP_AUTHORIZATION.encode(vector.xres),
            d.CONFIDENTIALITY_KEY.encode(vector.ck),
            d.INTEGRITY_KEY.encode(vector.ik),
        ]
        identities = [row.encode(request.require(row)) for row in (d.USER_NAME, d.PUBLIC_IDENTITY)]
        return [*identities, d.SIP_NUMBER_AUTH_ITEMS.encode(1), d.SIP_AUTH_DATA_ITEM.encode(b"".join(item))]

    def _saa(self, request: Message) -> list[bytes]:
        impi, impu = request.require(d.USER_NAME), request.require(d.PUBLIC_IDENTITY)
        profile = "".join(
            f"<PublicIdentity><BarringIndication>0</BarringIndication><Identity>{one}</Identity></PublicIdentity>"
            for one in (impu, self.also.get(impu))
            if one is not None
        )
        profile = f"<ServiceProfile>{profile}</ServiceProfile>"
        user_data = f"<IMSSubscription><PrivateID>{impi}</PrivateID>{profile}</IMSSubscription>"
        return [d.USER_NAME.encode(impi), d.USER_DATA.encode(user_data.encode())]


_VSAI = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(c.TGPP) + d.AUTH_APPLICATION_ID.encode(c.CX))
_NO_STATE = d.AUTH_SESSION_STATE.decode(b"\x00\x00\x00\x01")


@dataclass(frozen=True)
class Response:
    """One SIP response, and how long it took."""

    status: int
    text: str
    seconds: float

    def header(self, name: str) -> str:
        """Return the value of the first such header, or an empty string."""
        found = re.search(rf"^{name}: *(.*?)\r?$", self.text, re.MULTILINE)
        return found[1] if found else ""


class Sip:
    """A SIP user agent over UDP that sends and answers what the test says."""

    def __init__(self, network: Network, address: str, port: int, user: str, k: bytes = K) -> None:
        self.address, self.port, self.user = address, port, user
        self.impi, self.impu = f"{user}@{DOMAIN}", f"sip:{user}@{DOMAIN}"
        self.contact = f"sip:{user}@{address}:{port}"
        self.isim = Isim(self.impi, [self.impu], DOMAIN, [], k, OPC)
        self.socket = network.socket(socket.SOCK_DGRAM, address, port)
        self.socket.settimeout(15)
        self.call_id, self.tag, self.sequence = secrets.token_hex(6), secrets.token_hex(4), 0

    def send(self, to: tuple[str, int], method: str, uri: str, *headers: str, call_id: str = "") -> Response:
        """Send a request and return its final response."""
        self.sequence += 1
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch=z9hG4bK{secrets.token_hex(6)};rport",
            "Max-Forwards: 70",
            f"From: <{self.impu}>;tag={self.tag}",
            f"To: <{self.impu if method == 'REGISTER' else uri}>",
            f"Call-ID: {call_id or secrets.token_hex(6)}",
            f"CSeq: {self.sequence} {method}",
            f"Contact: <{self.contact}>",
            *headers,
            "Content-Length: 0",
        ]
        begun = time.monotonic()
        self.socket.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), to)
        while True:
            text = self.socket.recv(1 << 16).decode()
            if text.startswith("SIP/2.0") and f"CSeq: {self.sequence} " in text and text[8] != "1":
                return Response(int(text[8:11]), text, time.monotonic() - begun)

    def answer(self) -> threading.Thread:
        """Answer the next request with 200 in the background; it is then in ``received``."""

        def respond() -> None:
            octets, source = self.socket.recvfrom(1 << 16)
            self.received = octets.decode()
            names = ("Via", "From", "To", "Call-ID", "CSeq", "Record-Route")
            kept = [line for line in self.received.split("\r\n") if line.split(":")[0] in names]
            self.socket.sendto("\r\n".join(["SIP/2.0 200 OK", *kept, "Content-Length: 0", "", ""]).encode(), source)

        thread = threading.Thread(target=respond, daemon=True)
        thread.start()
        return thread

    def challenge(self, expires: int = 600) -> Response:
        """Send the unprotected REGISTER (TS 24.229 §5.1.1.2)."""
        return self._register(expires, nonce="", response="")

    def register(self, expires: int = 600) -> Response:
        """Register, resynchronising if the ISIM says so; return the last response."""
        last = self.challenge(expires)
        for _ in range(3):
            if last.status != 401:
                return last
            last = self.authenticate(last, expires)
        return last

    def authenticate(self, challenge: Response, expires: int = 600, res: bytes | None = None) -> Response:
        """Answer a challenge; with ``res``, with that RES."""
        nonce = re.findall(r'nonce="([^"]*)"', challenge.header("WWW-Authenticate"))[0]
        rand, autn, _ = digest.decode_nonce(nonce)
        auts = {}
        try:
            password = self.isim.authenticate(rand, autn).res if res is None else res
        except SynchronisationFailure as exc:
            password, auts = digest.EMPTY_PASSWORD, {"auts": digest.encode_auts_parameter(exc.auts)}
        uri = f"sip:{DOMAIN}"
        count, cnonce = "00000001", secrets.token_hex(4)
        proof = digest.response(self.impi, DOMAIN, password, "REGISTER", uri, nonce, "auth", cnonce, count)
        return self._register(expires, nonce=nonce, response=proof, **auts, cnonce=cnonce, qop="auth", nc=count)

    def _register(self, expires: int, **parameters: str) -> Response:
        uri = f"sip:{DOMAIN}"
        given = {"username": self.impi, "realm": DOMAIN, "uri": uri, "algorithm": "AKAv1-MD5"} | parameters
        unquoted = ("algorithm", "qop", "nc")
        digest_parameters = [
            f"{key}={value}" if key in unquoted else f'{key}="{value}"' for key, value in given.items()
        ]
        headers = ("Authorization: Digest " + ",".join(digest_parameters), f"Expires: {expires}", "Supported: path")
        return self.send(("10.77.1.10", 5060), "REGISTER", uri, *headers, call_id=self.call_id)


@dataclass
class Core:
    """The namespace, the three CSCFs, their database, and UEs by the dozen."""

    network: Network
    database: Database
    cscfs: dict[str, Kamailio]
    ues: list[Sip] = field(default_factory=list)
    _ports: Iterator[int] = field(default_factory=lambda: iter(range(20000, 60000)))

    def ue(self, user: str = "", address: str = "10.77.1.21", **options: bytes) -> Sip:
        """Return a UE with its own port, and its own identity unless one is given."""
        port = next(self._ports)
        self.ues.append(Sip(self.network, address, port, user or f"0010100000{port:05}", **options))
        return self.ues[-1]

    def log(self) -> str:
        """Return the end of every log, for a failure's message."""
        return "\n".join(f"--- {role}\n{cscf.text()[-2000:]}" for role, cscf in self.cscfs.items())


@pytest.fixture(scope="session")
def core_values() -> CscfValues:
    """What the core's CSCFs are told."""
    return VALUES


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A namespace of the module's own."""
    if os.geteuid() != 0:
        pytest.fail("the lab's tests need root")
    made = Network(tmp_path_factory.mktemp("network") / "hosts")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def start_core(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Core]]:
    """Start a whole core; it ends with the module. Its database is not started."""
    started: list[Core] = []

    def run(values: CscfValues = VALUES) -> Core:
        directory = tmp_path_factory.mktemp("core")
        cscfs = {role: Kamailio(network, role, directory, values) for role in ROLES}
        started.append(Core(network, Database(network), cscfs))
        for cscf in cscfs.values():
            cscf.wait_ready()
        return started[-1]

    yield run
    for core in started:
        for cscf in core.cscfs.values():
            cscf.stop()


@pytest.fixture(scope="module")
def running(network: Network, start_core: Callable[..., Core]) -> Iterator[Core]:
    """A core that runs for the whole module, and its database."""
    database = Database(network)
    database.start()
    core = start_core()
    core.database = database
    yield core
    database.stop()


@pytest.fixture
def core(running: Core) -> Iterator[Core]:
    """That core with a database that behaves, and proof afterwards that no process of it died."""
    running.database.fault = lambda _request: None
    running.database.requests.clear()
    running.database.answers.clear()
    yield running
    running.database.fault = lambda _request: None
    while running.ues:
        running.ues.pop().socket.close()
    assert [role for role, cscf in running.cscfs.items() if cscf.popen.poll() is not None] == [], running.log()
    assert "exited by a signal" not in running.log()


@pytest.fixture(scope="module")
def start(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Role], Kamailio]]:
    """Start single CSCFs; they end with the module."""
    started: list[Kamailio] = []

    def run(role: Role) -> Kamailio:
        started.append(Kamailio(network, role, tmp_path_factory.mktemp(role)))
        return started[-1]

    yield run
    for kamailio in started:
        if kamailio.popen.poll() is None:
            kamailio.stop()


@pytest.fixture
def database(network: Network) -> Iterator[Database]:
    """A database that the test starts."""
    made = Database(network)
    yield made
    made.stop()


@pytest.fixture
def sip(network: Network) -> Iterator[Callable[..., Sip]]:
    """User agents at an address and port of the namespace, closed after the test."""
    opened: list[Sip] = []

    def make(address: str, port: int, user: str = "001010000000001") -> Sip:
        opened.append(Sip(network, address, port, user))
        return opened[-1]

    yield make
    for agent in opened:
        agent.socket.close()
