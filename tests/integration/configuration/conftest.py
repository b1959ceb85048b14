"""Processes on loopback addresses of the test's own: certificates, configuration files, ready lines."""

import contextlib
import json
import os
import random
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
import trustme
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from lab.faults.clock import forget_shared_memory, skewed

READY_WITHIN_S = 90.0
PORT = 8443


@dataclass
class Process:
    """A program of ours that has said it is ready."""

    popen: subprocess.Popen[str]
    log: Path
    listen: list[str]

    def stop(self) -> int:
        """End it as an operator would; return its exit code."""
        self.popen.terminate()
        return self.popen.wait(30)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.popen.kill()
        self.popen.wait(30)

    def events(self, name: str) -> list[dict[str, object]]:
        """Return the events of that name in its log."""
        whole, _, _under_way = self.log.read_text().rpartition("\n")
        lines = [line for line in whole.splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event.get("event") == name]


@dataclass
class System:
    """An MC system: its own CA and loopback addresses for its hosts."""

    name: str
    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)
    addresses: dict[str, str] = field(default_factory=dict)
    signing_key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))

    @property
    def ca_file(self) -> Path:
        return self.folder / f"{self.name}-ca.pem"

    @property
    def jwks_file(self) -> Path:
        return self.folder / f"idms.{self.name}.json"

    def address(self, host: str) -> str:
        if host not in self.addresses:
            octets = [random.randint(1, 254) for _ in range(3)]
            self.addresses[host] = "127." + ".".join(map(str, octets))
        return self.addresses[host]

    def url(self, host: str) -> str:
        return f"https://{self.address(host)}:{PORT}"

    def host_folder(self, host: str, *more_names: str) -> Path:
        """Make ``host``'s folder with its certificate; return it."""
        folder = self.folder / host
        folder.mkdir(parents=True, exist_ok=True)
        names = [f"{host}.{self.name}.lab", self.address(host), *more_names]
        certificate = self.ca.issue_cert(*names)
        (folder / "certificate.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        (folder / "private_key.pem").write_bytes(certificate.private_key_pem.bytes())
        return folder

    def client(self, host: str | None = None, of: "System | None" = None) -> httpx2.Client:
        """Return an HTTP client that trusts this system, with the certificate of ``host`` (``of`` another) if told."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if host is not None:
            folder = (of or self).host_folder(host)
            context.load_cert_chain(folder / "certificate.pem", folder / "private_key.pem")
        return httpx2.Client(verify=context, timeout=60)

    def write_idms(self, *partners: "System", user: str = "alice", more: str = "") -> Path:
        """Write the configuration of this system's identity management server."""
        folder = self.host_folder("idms")
        (folder / "idms-signing.pem").write_bytes(self.signing_key.as_pem(private=True))
        peers = "".join(
            f'[[partners]]\nissuer = "{partner.url("idms")}"\njwks_file = "{partner.jwks_file}"\n'
            for partner in partners
        )
        (folder / "idms.toml").write_text(f"""
[system]
issuer = "{self.url("idms")}"
audiences = ["cms.{self.name}.lab"]
[http]
address = "{self.address("idms")}"
port = {PORT}
[tls]
certificate = "certificate.pem"
private_key = "private_key.pem"
[keys]
private_key = "idms-signing.pem"
[[users]]
name = "{user}"
password = "{user}-secret"
mc_service_ids = ["sip:{user}@{self.name}.lab"]
[[clients]]
client_id = "mc-client"
redirect_uris = ["mcclient:/callback"]
{peers}
{more}""")
        return folder / "idms.toml"

    @property
    def home_domain(self) -> str:
        return f"ims.{self.name}.lab"

    def write_mms(self, *partners: "System", user: str = "alice", held_s: int = 30, more: str = "") -> Path:
        """Write the configuration of this system's migration management server; ``more`` is put at its end."""
        folder = self.host_folder("mms")
        domain = self.home_domain
        sets = "".join(
            f"""
[[allocation.primary.sets]]
mc_service_id = "sip:{user}@{self.name}.lab"
partner = "{partner.name}"
private_user_identity = "mig-{user}-{partner.name}@{domain}"
public_user_identities = ["sip:mig-{user}-{partner.name}@{domain}"]
"""
            for partner in partners
        )
        peers = "".join(
            f"""
[[partners]]
name = "{partner.name}"
realms = ["{partner.home_domain}"]
migration_management_servers = ["mms.{partner.name}.lab"]
"""
            for partner in partners
        )
        (folder / "mms.toml").write_text(f"""
[system]
name = "{self.name}"
identifier = "mms.{self.name}.lab"
home_domain = "{domain}"
[http]
address = "{self.address("mms")}"
port = {PORT}
client_ca = "{self.ca_file}"
clients.csc_x = ["cms.{self.name}.lab", "admin.{self.name}.lab"]
clients.feed = ["proxy1.{self.name}.lab"]
[tls]
certificate = "certificate.pem"
private_key = "private_key.pem"
[diameter]
origin_host = "mms.{self.name}.lab"
origin_realm = "{domain}"
address = "{self.address("mms")}"
port = 3868
peers = ["proxy1.{self.name}.lab"]
scscf = ["sip:scscf.{self.name}.lab:6060"]
[store]
url = "sqlite+aiosqlite:///{folder / "mms.sqlite"}"
[allocation.primary]
mode = "pool"
provisioned = true
{sets}
[allocation.partner]
mode = "random"
[lifetime]
held_s = {held_s}
quarantine_s = 0
{peers}
{more}""")
        return folder / "mms.toml"

    def write_cms(self, *partners: "System", user: str = "alice", **changes: str) -> Path:
        """Write the configuration of this system's configuration management server."""
        folder = self.host_folder("cms")
        peers = "".join(
            f"""
[[partners]]
name = "{partner.name}"
cms = "{partner.url("cms")}"
ca = "{partner.ca_file}"
client_name = "cms.{partner.name}.lab"
migration_management_servers = ["mms.{partner.name}.lab"]
realms = ["{partner.home_domain}"]
outbound_users = {changes.get("outbound_users", '"*"')}
inbound_users = {changes.get("inbound_users", '"*"')}
timeout_s = {changes.get("partner_timeout_s", "20")}
service_area = {{polygon = {_square(number)}, ecgi = ["00101-000010{number}"], tracking_areas = ["00101-000{number}"]}}
{changes.get("partner", "")}
"""
            for number, partner in enumerate(partners, 1)
        )
        (folder / "cms.toml").write_text(f"""
[system]
name = "{self.name}"
home_domain = "{self.home_domain}"
[http]
address = "{self.address("cms")}"
port = {PORT}
[admin]
clients = ["cms.{self.name}.lab"]
[metrics]
clients = ["cms.{self.name}.lab"]
{changes.get("store", "")}
[tls]
certificate = "certificate.pem"
private_key = "private_key.pem"
[mms]
url = "{changes.get("mms_url", self.url("mms"))}"
ca = "{self.ca_file}"
timeout_s = 20
[idms]
issuer = "{self.url("idms")}"
ca = "{self.ca_file}"
timeout_s = 20
audience = "cms.{self.name}.lab"
{changes.get("idms", "")}
[[users]]
mc_service_id = "sip:{user}@{self.name}.lab"
migration = {changes.get("migration", "true")}
[[users.isims]]
private_user_identity = "{user}@{self.home_domain}"
public_user_identities = ["sip:{user}@{self.home_domain}"]
[[users]]
mc_service_id = "sip:mallory@{self.name}.lab"
migration = true
[[users.isims]]
private_user_identity = "mallory@{self.home_domain}"
public_user_identities = ["sip:mallory@{self.home_domain}"]
{peers}
[initial_ue_configuration]
mc_system = "{self.name}"
home_domain = "{self.home_domain}"
p_cscf = ["sip:{self.address("pcscf")}:5060"]
plmn = "00101"
idms_issuer = "{self.url("idms")}"
idms_auth_endpoint = "{self.url("idms")}/authorize"
idms_token_endpoint = "{self.url("idms")}/token"
cms = "{self.url("cms")}"
gms = "https://gms.{self.name}.lab"
kms = "https://kms.{self.name}.lab"
{changes.get("limits", "")}""")
        return folder / "cms.toml"

    def access_token(self, user: str = "alice", scope: str = "") -> str:
        """Sign an access token as this system's identity management server would."""
        now = int(time.time())
        claims = {
            "iss": self.url("idms"),
            "sub": user,
            "aud": f"cms.{self.name}.lab",
            "client_id": "mc-client",
            "scope": scope or "3gpp:mc:ptt_config_management_service",
            "iat": now,
            "exp": now + 60,
            "mcptt_id": f"sip:{user}@{self.name}.lab",
        }
        self.signing_key.ensure_kid()
        return jwt.encode({"alg": "ES256", "kid": self.signing_key.kid}, claims, self.signing_key)


def agreement_at_mms(name: str, services: str = '["mcptt", "mcvideo", "mcdata"]') -> str:
    """Return the table of a partner in ``mms.toml`` that is no system of the test."""
    return f"""
[[partners]]
name = "{name}"
realms = ["ims.{name}.lab"]
migration_management_servers = ["mms.{name}.lab"]
services = {services}
"""


def _square(number: int) -> str:
    west = 25.0 + number
    return f"[[{west}, 60.0], [{west + 1}, 60.0], [{west + 1}, 61.0], [{west}, 61.0]]"


MakeSystem = Callable[[str], System]
Start = Callable[..., Process]


@contextlib.contextmanager
def _launcher(folder: Path) -> Iterator[Start]:
    """Give a function that starts a program and waits for its ready line; end all of them afterwards."""
    with contextlib.ExitStack() as stack:

        def start_one(name: str, *arguments: str, clock_s: int = 0, stderr: int | None = None) -> Process:
            log = folder / f"{name}.log"
            written = stack.enter_context(log.open("w"))
            command = [sys.executable, "-m", *arguments]
            popen = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=written if stderr is None else stderr,
                text=True,
                env={**os.environ, **(skewed(clock_s) if clock_s else {})},
            )
            stack.callback(forget_shared_memory, popen.pid)
            stack.callback(_end, popen)
            return Process(popen, log, _ready(popen, log))

        yield start_one


@pytest.fixture(scope="module")
def make_system(tmp_path_factory: pytest.TempPathFactory) -> MakeSystem:
    def make(name: str) -> System:
        system = System(name, tmp_path_factory.mktemp(name))
        system.ca.cert_pem.write_to_path(system.ca_file)
        system.jwks_file.write_text(json.dumps(KeySet([system.signing_key]).as_dict(private=False)))
        return system

    return make


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program for one test."""
    with _launcher(tmp_path) as launch:
        yield launch


@pytest.fixture(scope="module")
def start_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a program for all tests of a module."""
    with _launcher(tmp_path_factory.mktemp("log")) as launch:
        yield launch


@pytest.fixture(scope="module")
def start_mms(start_for_module: Start) -> Callable[[System, Path], Process]:
    """Make the store of a migration management server, then start it."""

    def start_one(system: System, config: Path, clock_s: int = 0) -> Process:
        arguments = [sys.executable, "-m", "mmserver.migration", "upgrade", "--config", str(config)]
        subprocess.run(arguments, check=True, capture_output=True, timeout=90)
        run = ("mmserver.migration", "run", "--config", str(config))
        return start_for_module(f"mms-{system.name}", *run, clock_s=clock_s)

    return start_one


@pytest.fixture
def start_cms(start: Start) -> Callable[[System, Path], Process]:
    """Start a configuration management server."""

    def start_one(system: System, config: Path, clock_s: int = 0) -> Process:
        return start(f"cms-{system.name}", "mmserver.configuration", "run", "--config", str(config), clock_s=clock_s)

    return start_one


def _ready(popen: subprocess.Popen[str], log: Path) -> list[str]:
    assert popen.stdout is not None
    readable, _, _ = select.select([popen.stdout], [], [], READY_WITHIN_S)
    line = popen.stdout.readline() if readable else ""
    assert line, f"not ready; its log: {log.read_text()[-2000:]}"
    event = json.loads(line)
    assert event["event"] == "ready"
    return list(event["listen"])


def _end(popen: subprocess.Popen[str]) -> None:
    if popen.poll() is None:
        popen.kill()
    popen.wait(30)
    assert popen.stdout is not None
    popen.stdout.close()
