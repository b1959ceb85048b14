"""A whole MMS of mc2 on loopback: real certificates, real sockets, real SQLite and then real PostgreSQL."""

import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trustme

from mmserver.http.tls import Credentials, client_context
from mmserver.migration.config import load_config
from mmserver.migration.schema.upgrade import upgrade
from mmserver.migration.service import Service
from tests.databases import Database, PostgreSql, sqlite

CONFIG = """
[system]
name = "mc2"
identifier = "mms.mc2.lab"
home_domain = "ims.mc2.lab"

[http]
address = "127.0.0.1"
port = 0
clients.csc_x = ["cms.mc2.lab", "admin.mc2.lab"]
clients.feed = ["proxy1.mc2.lab", "proxy2.mc2.lab"]
client_ca = "mc2-ca.pem"

[tls]
certificate = "mms.mc2.lab.pem"
private_key = "mms.mc2.lab.key"

[diameter]
origin_host = "mms.mc2.lab"
origin_realm = "ims.mc2.lab"
address = "127.0.0.1"
port = 0
peers = ["proxy1.mc2.lab", "proxy2.mc2.lab"]
scscf = ["sip:scscf.mc2.lab:6060"]
rtr_deadline_s = 5.0

[store]
url = "{url}"
busy_timeout_s = 0.5

[lifetime]
held_s = 30
quarantine_s = 3600
registration_s = 600
sweep_s = 0.1

[[partners]]
name = "mc1"
realms = ["ims.mc1.lab"]
migration_management_servers = ["mms.mc1.lab"]
"""


class Lab:
    """Files of one test: authorities, certificates, configuration."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        self.authority = trustme.CA()
        self.rogue = trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "mc2-ca.pem")
        for host in ("mms", "cms", "admin", "proxy1", "proxy2", "stranger"):
            self.issue(self.authority, f"{host}.mc2.lab")
        self.config_file = folder / "mms.toml"
        self.configure()

    def configure(self, **replaced: str) -> Path:
        text = CONFIG.replace("{url}", self.database.url)
        for old, new in replaced.items():
            text = text.replace(old, new)
        self.config_file.write_text(text)
        return self.config_file

    def issue(self, authority: trustme.CA, name: str, *more: str, stem: str | None = None) -> Credentials:
        issued = authority.issue_cert(name, *more, "127.0.0.1")
        certificate = self.folder / f"{stem or name}.pem"
        private_key = self.folder / f"{stem or name}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        issued.private_key_pem.write_to_path(private_key)
        return Credentials(certificate, private_key)

    def credentials(self, name: str) -> Credentials:
        return Credentials(self.folder / f"{name}.pem", self.folder / f"{name}.key")

    def context(self, credentials: Credentials | None) -> ssl.SSLContext:
        return client_context(self.folder / "mc2-ca.pem", credentials)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSql]:
    """One server for all tests of this run; it need not survive the machine, so nothing waits for the disk."""
    server = PostgreSql("fsync=off", "max_connections=300")
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database: each test that touches a store runs over both kinds."""
    if request.param == "sqlite":
        yield sqlite(tmp_path)
        return
    server: PostgreSql = request.getfixturevalue("postgresql")
    database = server.create()
    yield database
    server.drop(database)


@pytest.fixture
def lab(tmp_path: Path, database: Database) -> Lab:
    return Lab(tmp_path, database)


@pytest.fixture
async def service(lab: Lab) -> AsyncIterator[Service]:
    config = load_config(lab.config_file)
    upgrade(config.store.url)
    async with Service(config) as service:
        yield service


@pytest.fixture
def client_of(lab: Lab, service: Service) -> Callable[..., Any]:
    @asynccontextmanager
    async def connect(name: str | None, credentials: Credentials | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        mine = credentials or (lab.credentials(name) if name else None)
        async with httpx2.AsyncClient(
            base_url=f"https://{service.http.listen}", verify=lab.context(mine), timeout=60
        ) as client:
            yield client

    return connect


@pytest.fixture
async def cms(client_of: Callable[..., Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of("cms.mc2.lab") as client:
        yield client


@pytest.fixture
async def proxy(client_of: Callable[..., Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of("proxy1.mc2.lab") as client:
        yield client


class Program:
    """The MMS as a process."""

    def __init__(self, config_file: Path) -> None:
        self._command = [sys.executable, "-m", "mmserver.cli", "migration"]
        self._config = ["--config", str(config_file)]
        self.process: subprocess.Popen[str] | None = None
        self.listen: list[str] = []

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *arguments, *self._config]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def start(self, stderr: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            [*self._command, "run", *self._config], stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"no ready line; {self.process.communicate()[1]}")
        self.listen = json.loads(line)["listen"]

    def end(self) -> None:
        if self.process is not None:
            if self.process.poll() is None:
                self.process.kill()
            self.process.communicate()
            self.process = None


@pytest.fixture
def make_program(lab: Lab) -> Iterator[Callable[[], Program]]:
    programs: list[Program] = []

    def make() -> Program:
        programs.append(Program(lab.config_file))
        return programs[-1]

    yield make
    for program in programs:
        program.end()


@pytest.fixture
def program(make_program: Callable[[], Program]) -> Program:
    return make_program()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Lab]]:
    """A running program and its files, for tests that ask it many things."""
    folder = tmp_path_factory.mktemp("mms")
    lab = Lab(folder, sqlite(folder))
    program = Program(lab.config_file)
    program.call("upgrade")
    program.start()
    yield program.listen[0], lab
    program.end()
