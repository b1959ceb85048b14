"""A P-CSCF, registrar and HSS in one small thread, and a UE agent as the process that a user starts.

The registrar makes its own digest (hashlib) from XRES and compares: the agent's digest code does not judge itself.
"""

import base64
import contextlib
import hashlib
import json
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme

from ue_agent.aka.aka import generate_vector, verify_auts
from ue_agent.aka.milenage import Milenage

# TS 35.208 §4.3, test set 1.
K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
AMF = b"\x80\x00"
DOMAIN = "ims.mc1.lab"
DEADLINE_S = 60.0


class Request:
    """A SIP request, read as plainly as can be."""

    def __init__(self, octets: bytes) -> None:
        head, _, self.body = octets.decode().partition("\r\n\r\n")
        self.line, *lines = head.split("\r\n")
        self.method, self.uri, _ = self.line.split(" ")
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str:
        return (self.all(name) or [""])[0]

    @property
    def authorization(self) -> dict[str, str]:
        found = re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', self.get("Authorization"))
        return {name: quoted or plain for name, quoted, plain in found}


class Registrar:
    """Challenges each REGISTER with AKAv1-MD5 and answers as ``behaviour`` says."""

    def __init__(self, transport: str = "udp") -> None:
        self.behaviour = "aka"  # aka, silent, or a status line that the second REGISTER is answered with
        self.key = K
        self.sqn = 1 << 5
        self.expires: int | None = None
        self.requests: list[Request] = []
        self.failures: list[str] = []
        self.answers: queue.Queue[str] = queue.Queue()
        self.resynchronised = 0
        self.contact: tuple[str, Any] | None = None
        self._vectors: dict[str, bytes] = {}
        self._answered: dict[tuple[str, str], bytes] = {}
        self._transport = transport
        self._stopping = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._serve_udp if transport == "udp" else self._serve_tcp)
        self.port = self._socket.getsockname()[1]
        if transport == "tcp":
            self._socket.listen()
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join(5)
        self._socket.close()

    def registers(self) -> list[Request]:
        return [request for request in self.requests if request.method == "REGISTER"]

    def send_message(self, text: str) -> str:
        """Send a MESSAGE to the UE's contact; return the status line of its answer."""
        assert self.contact is not None
        uri, target = self.contact
        lines = [
            f"MESSAGE {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{os.urandom(6).hex()}",
            "Max-Forwards: 70",
            "From: <sip:service@ims.mc1.lab>;tag=s",
            "To: <sip:alice@ims.mc1.lab>",
            f"Call-ID: {os.urandom(6).hex()}",
            "CSeq: 1 MESSAGE",
            "Content-Type: text/plain",
            f"Content-Length: {len(text.encode())}",
        ]
        self._socket.sendto(("\r\n".join(lines) + "\r\n\r\n" + text).encode(), target)
        return self.answers.get(timeout=DEADLINE_S)

    def _serve_udp(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                octets, source = self._socket.recvfrom(65536)
                self._take(octets, source, lambda answer, to=source: self._socket.sendto(answer, to))

    def _serve_tcp(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                connection, source = self._socket.accept()
                with connection:
                    connection.settimeout(0.1)
                    self._serve_connection(connection, source)

    def _serve_connection(self, connection: socket.socket, source: Any) -> None:
        rest = b""
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                octets = connection.recv(65536)
                if not octets:
                    return
                rest += octets
                while b"\r\n\r\n" in rest:
                    message, _, rest = rest.lstrip(b"\r\n").partition(b"\r\n\r\n")
                    if message:
                        self._take(message + b"\r\n\r\n", source, connection.sendall)

    def _take(self, octets: bytes, source: Any, send: Callable[[bytes], Any]) -> None:
        if octets.startswith(b"SIP/2.0"):
            self.answers.put(octets.decode().split("\r\n")[0])
            return
        if not octets.strip():
            return
        request = Request(octets)
        transaction = request.get("Via"), request.method
        if transaction in self._answered:  # sent again before our answer came: the same one (RFC 3261 §17.2.2)
            send(self._answered[transaction])
            return
        self.requests.append(request)
        if self.behaviour == "silent":
            return
        answer = self._register(request, source) if request.method == "REGISTER" else self._other(request)
        self._answered[transaction] = answer
        send(answer)

    def _other(self, request: Request) -> bytes:
        return answer_to(request, self.behaviour if request.method != "MESSAGE" else "202 Accepted")

    def _register(self, request: Request, source: Any) -> bytes:
        said = request.authorization
        xres = self._vectors.pop(said.get("nonce", ""), None)
        if xres is None or not said.get("response"):
            return self._challenge(request)
        if "auts" in said:
            return self._resynchronise(request, said)
        if said["response"] != digest_of(said, xres, request):
            self.failures.append(f"wrong response to {said['nonce']}")
            return answer_to(request, "403 Forbidden")
        if self.behaviour != "aka":
            return answer_to(request, self.behaviour)
        contact = request.get("Contact")
        uri = contact[contact.index("<") + 1 : contact.index(">")]
        granted = int(request.get("Expires") or 0)
        if granted and self.expires is not None:
            granted = self.expires
        self.contact = (uri, source) if granted else None
        headers = [f"Contact: {contact};expires={granted}"] if granted else []
        headers.append("P-Associated-URI: <sip:alice@ims.mc1.lab>, <tel:+15550100>")
        return answer_to(request, "200 OK", *headers)

    def _challenge(self, request: Request) -> bytes:
        self.sqn += 1 << 5
        vector = generate_vector(Milenage(self.key, OPC), os.urandom(16), self.sqn, AMF)
        nonce = base64.b64encode(vector.rand + vector.autn).decode()
        self._vectors[nonce] = vector.xres
        challenge = f'Digest realm="{DOMAIN}", nonce="{nonce}", algorithm=AKAv1-MD5, qop="auth,auth-int"'
        return answer_to(request, "401 Unauthorized", f"WWW-Authenticate: {challenge}")

    def _resynchronise(self, request: Request, said: dict[str, str]) -> bytes:
        rand = base64.b64decode(said["nonce"])[:16]
        self.sqn = verify_auts(Milenage(self.key, OPC), rand, base64.b64decode(said["auts"]))
        if said["response"] != digest_of(said, b"", request):
            self.failures.append("auts without the digest of the empty password")
        self.resynchronised += 1
        return self._challenge(request)


def digest_of(said: dict[str, str], password: bytes, request: Request) -> str:
    """RFC 2617 §3.2.2 with RES as password (RFC 3310 §3.3)."""

    def md5(octets: bytes) -> str:
        return hashlib.md5(octets).hexdigest()

    a1 = md5(f"{said['username']}:{said['realm']}:".encode() + password)
    a2 = md5(f"{request.method}:{said['uri']}".encode())
    middle = f"{said['nc']}:{said['cnonce']}:{said['qop']}:" if said.get("qop") else ""
    return md5(f"{a1}:{said['nonce']}:{middle}{a2}".encode())


def answer_to(request: Request, status: str, *headers: str) -> bytes:
    copied = [f"{name}: {value}" for name, value in request.headers if name in ("Via", "From", "Call-ID", "CSeq")]
    lines = [f"SIP/2.0 {status}", *copied, f"To: {request.get('To')};tag=r", *headers, "Content-Length: 0"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class UeProcess:
    """``ue-agent run`` with its pipes."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ue_agent.cli", "run", "--config", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.events: list[dict[str, Any]] = []
        self.stderr = ""
        self._changed = threading.Condition()
        self._ended = False
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()
        self._id = 0

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool], deadline_s: float = DEADLINE_S) -> dict[str, Any]:
        """Return the first event that is wanted."""
        end = time.monotonic() + deadline_s
        with self._changed:
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                left = end - time.monotonic()
                assert left > 0 and not self._ended, f"no such event in {self.events}, stderr: {self.stderr}"
                self._changed.wait(left)

    def do(self, command: str, **members: Any) -> dict[str, Any]:
        """Send a command and return its ``done``."""
        number = self.send(command, **members)
        return self.wait_for(lambda event: event["event"] == "done" and event.get("id") == number)

    def send(self, command: str, **members: Any) -> int:
        self._id += 1
        self.write(json.dumps({"id": self._id, "command": command, **members}).encode() + b"\n")
        return self._id

    def write(self, octets: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(octets)
        self.process.stdin.flush()

    def close_input(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def wait_for_end(self) -> int:
        code = self.process.wait(DEADLINE_S)
        for reader in self._readers:
            reader.join(5)
        return code

    def children(self) -> list[int]:
        """Return the processes that this one has started and that still run."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in found.split()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for reader in self._readers:
            reader.join(5)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.events.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.stderr += line.decode()


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """The CA of the primary MC system."""
    return trustme.CA()


@pytest.fixture
def registrar() -> Iterator[Registrar]:
    """A registrar on the loopback."""
    made = Registrar()
    yield made
    made.close()


def write_ue_config(folder: Path, ca: trustme.CA, p_cscf: str, **settings: str) -> Path:
    """Write a ue.toml; settings by dotted name."""
    ca.cert_pem.write_to_path(folder / "mc1-ca.pem")
    path = folder / "ue.toml"
    path.write_text(
        f"""
[ue]
name = "ue1"
state_dir = "state"
[isim]
private_user_identity = "001010000000001@ims.mc1.lab"
public_user_identities = ["sip:alice@ims.mc1.lab"]
home_domain = "ims.mc1.lab"
p_cscf = ["{p_cscf}"]
k = "{K.hex()}"
opc = "{OPC.hex()}"
{settings.get("isim", "")}
[user]
mc_service_ids = ["sip:alice@mc1.lab"]
username = "alice"
password = "secret of alice"
client_id = "ue"
[primary]
system = "mc1"
idms = "{settings.get("idms", "https://localhost:1")}"
cms = "{settings.get("cms", "https://localhost:1")}"
ca = "mc1-ca.pem"
[sip]
{settings.get("sip", "")}
"""
    )
    return path


@pytest.fixture
def write_config(tmp_path: Path, ca: trustme.CA) -> Callable[..., Path]:
    """Write a ue.toml; settings by dotted name."""
    return partial(write_ue_config, tmp_path, ca)


@pytest.fixture
def start_ue() -> Iterator[Callable[[Path], UeProcess]]:
    """Start ``ue-agent run``; it is ended after the test."""
    started: list[UeProcess] = []

    def start(config: Path) -> UeProcess:
        started.append(UeProcess(config))
        started[-1].wait_for(lambda event: event["event"] == "ready")
        return started[-1]

    yield start
    for ue in started:
        ue.close()


@pytest.fixture
def ue(registrar: Registrar, write_config: Callable[..., Path], start_ue: Callable[[Path], UeProcess]) -> UeProcess:
    """A UE whose P-CSCF is the registrar."""
    return start_ue(write_config(f"sip:127.0.0.1:{registrar.port}"))
