"""An MMS of mc2 with partner mc1 over a real SQLite file, time as a number and counted randomness."""

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mmserver.http.settings import validate
from mmserver.messages import LentRange, PartnerSipIdentitiesRequest, PrimarySipIdentitiesRequest
from mmserver.migration.bindings import IdentityBinding, Registration, register
from mmserver.migration.config import MmsConfig
from mmserver.migration.cx import CxServer
from mmserver.migration.feed import Feed
from mmserver.migration.provisioning import Provisioning
from mmserver.migration.schema.upgrade import upgrade
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore, Change
from mmserver.migration.user_withdrawals import UserWithdrawals
from mmserver.migration.withdrawal import Withdrawal

NOW = 1_800_000_000.0


def settings(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "system": {"name": "mc2", "identifier": "mms.mc2.lab", "home_domain": "ims.mc2.lab"},
        "http": {
            "address": "127.0.0.1",
            "port": 0,
            "clients": {"csc_x": ["cms.mc2.lab"], "feed": ["proxy1.mc2.lab", "proxy2.mc2.lab"]},
            "client_ca": "ca.pem",
        },
        "tls": {"certificate": "certificate.pem", "private_key": "private_key.pem"},
        "diameter": {
            "origin_host": "mms.mc2.lab",
            "origin_realm": "ims.mc2.lab",
            "address": "127.0.0.1",
            "port": 0,
            "peers": ["proxy1.mc2.lab", "proxy2.mc2.lab"],
            "scscf": ["sip:scscf.mc2.lab:6060"],
            "rtr_deadline_s": 0.05,
        },
        "store": {"url": "sqlite+aiosqlite:///mms.sqlite"},
        "lifetime": {"held_s": 30, "valid_s": 86400, "quarantine_s": 3600, "registration_s": 600},
        "partners": [
            {"name": "mc1", "realms": ["ims.mc1.lab"], "migration_management_servers": ["mms.mc1.lab"]},
            {"name": "mc3", "realms": ["ims.mc3.lab"], "migration_management_servers": ["mms.mc3.lab"]},
        ],
    }
    for path, value in changes.items():
        table = base
        *parents, last = path.split("__")
        for parent in parents:
            table = table.setdefault(parent, {})
        table[last] = value
    return base


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "template.sqlite"
    upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture
def make_config(tmp_path: Path, template: Path) -> Callable[..., MmsConfig]:
    for name in ("ca.pem", "certificate.pem", "private_key.pem"):
        (tmp_path / name).touch()
    shutil.copy(template, tmp_path / "mms.sqlite")

    def make(**changes: Any) -> MmsConfig:
        changes.setdefault("store__url", f"sqlite+aiosqlite:///{tmp_path / 'mms.sqlite'}")
        return validate(settings(**changes), MmsConfig, name="mms.toml", folder=tmp_path)

    return make


class Core:
    """Notes each RTR, and answers it as told."""

    longest_s = 7.0

    def __init__(self, mms: "Mms") -> None:
        self._mms = mms
        self._count = 0

    def next_end_to_end(self) -> int:
        self._count += 1
        return self._count

    async def __call__(self, binding: IdentityBinding, end_to_end: int, *, retransmitted: bool) -> bool:
        self._mms.rtrs.append(binding)
        self._mms.rtr_headers.append((end_to_end, retransmitted))
        return self._mms.rtr_confirmed


@dataclass
class Mms:
    """The parts of one MMS, wired without wires."""

    config: MmsConfig
    store: BindingStore
    now: float = NOW
    count: int = 0
    rtrs: list[IdentityBinding] = field(default_factory=list)
    rtr_headers: list[tuple[int, bool]] = field(default_factory=list)
    rtr_confirmed: bool = True
    notified: int = 0
    hss: Any = None

    def __post_init__(self) -> None:
        lent_range = LentRange(domain="ims.mc2.lab", prefix="mig-")
        self.server = MigrationManagementServer(
            self.config,
            self.store,
            clock=self.clock,
            randomness=self.randomness,
            sip_database=self.hss,
            on_change=self.notify,
        )
        self.provisioning = Provisioning(
            self.config, self.store, clock=self.clock, randomness=self.randomness, on_change=self.notify
        )
        self.withdrawal = Withdrawal(
            self.store,
            clock=self.clock,
            quarantine_s=self.config.lifetime.quarantine_s,
            deregisterer=Core(self),
            proxies=self.config.http.clients.feed,
            on_change=self.notify,
        )
        self.user_withdrawals = UserWithdrawals(
            self.store,
            self.withdrawal,
            clock=self.clock,
            randomness=self.randomness,
            partners=frozenset(partner.name for partner in self.config.partners),
            proxies=self.config.http.clients.feed,
        )
        self.feed = Feed(self.store, lent_range, clock=self.clock)
        self.cx = CxServer(self.config, self.store, clock=self.clock)

    def clock(self) -> float:
        return self.now

    def randomness(self, octets: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(octets, "big")

    def notify(self) -> None:
        self.notified += 1
        self.feed.notify()

    async def partner(self, user: str = "a", **changes: Any) -> IdentityBinding:
        return await self.server.get_partner_sip_identities(partner_request(user, **changes), "cms.mc2.lab")

    async def primary(self, user: str = "a", **changes: Any) -> IdentityBinding:
        return await self.server.get_primary_sip_identities(primary_request(user, **changes), "cms.mc2.lab")

    async def try_primary(self, user: str = "a", **changes: Any) -> IdentityBinding | None:
        return await self.server.try_primary(primary_request(user, **changes))

    async def try_partner(self, user: str = "a", **changes: Any) -> IdentityBinding | None:
        return await self.server.try_partner(partner_request(user, **changes))

    async def lent(self, user: str = "a", **changes: Any) -> IdentityBinding:
        held = await self.primary(user, **changes)
        return await self.server.confirm(held.handle, "", "cms.mc2.lab")

    async def registered(self, user: str = "a") -> IdentityBinding:
        old = await self.allocated(user)
        registration = Registration("sip:scscf.mc2.lab:6060", "scscf.mc2.lab", "ims.mc2.lab", self.now + 600)
        async with self.store.writing() as transaction:
            change = Change("registration.stored", "test", self.now)
            return await transaction.save(old, register(old, registration), change)

    async def allocated(self, user: str = "a", **changes: Any) -> IdentityBinding:
        held = await self.partner(user, **changes)
        return await self.server.confirm(held.handle, "", "cms.mc2.lab")


def partner_request(user: str = "a", impus: int = 1, **changes: Any) -> PartnerSipIdentitiesRequest:
    body = {
        "primary_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": {
            "private_user_identity": f"mig-{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:mig-{user}{number}@ims.mc1.lab" for number in range(impus)],
        },
        "mc_service_ids": [f"sip:{user}@mc1.lab"],
    }
    return PartnerSipIdentitiesRequest.model_validate(body | changes)


def primary_request(user: str = "a", **changes: Any) -> PrimarySipIdentitiesRequest:
    body = {
        "mc_service_ids": [f"sip:{user}@mc2.lab"],
        "default_identities": {
            "private_user_identity": f"{user}@ims.mc2.lab",
            "public_user_identities": [f"sip:{user}@ims.mc2.lab"],
        },
        "partner_mc_system": "mc1",
    }
    return PrimarySipIdentitiesRequest.model_validate(body | changes)


@pytest.fixture(autouse=True)
async def connections_end_before_the_loop() -> AsyncIterator[None]:
    """Let aiosqlite's threads end while there is a loop that they can speak to: one whose open failed ends late."""
    yield
    deadline = asyncio.get_running_loop().time() + 60
    while any("_connection_worker_thread" in thread.name for thread in threading.enumerate()):
        assert asyncio.get_running_loop().time() < deadline, "a connection to SQLite was left open"
        await asyncio.sleep(0.005)


@pytest.fixture
async def make_mms(make_config: Callable[..., MmsConfig]) -> AsyncIterator[Callable[..., Mms]]:
    stores = []

    def make(**changes: Any) -> Mms:
        config = make_config(**changes)
        stores.append(BindingStore(config.store.url, clock=lambda: mms.now))
        mms = Mms(config, stores[-1])
        return mms

    yield make
    for store in stores:
        await store.close()


@pytest.fixture
def mms(make_mms: Callable[..., Mms]) -> Mms:
    return make_mms()
