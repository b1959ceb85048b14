"""A state machine over the life of bindings, with two instances of the MMS over one database and sudden ends.

Hypothesis chooses users, orders, times and the statement at which an instance ends; after every step the database is
asked (``store_invariants``), and what a Diameter proxy has made of the feed is held to what is stored.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import event

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, SAR, TGPP
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.values import AuthSessionState, ServerAssignmentType
from diameter_proxy.diameter.values import UserDataAlreadyAvailable as Availability
from mmserver.http.settings import validate
from mmserver.messages import FeedEntry, LentRange, PartnerSipIdentitiesRequest
from mmserver.migration.bindings import IdentityBinding
from mmserver.migration.config import MmsConfig
from mmserver.migration.cx import CxServer
from mmserver.migration.errors import MigrationError
from mmserver.migration.feed import Feed
from mmserver.migration.pools import load_pools
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore
from mmserver.migration.withdrawal import Withdrawal
from tests.databases import Database
from tests.store_invariants import require_consistent

NOW = 1_800_000_000.0
QUARANTINE_S = 3600.0
USERS = 3
SETS = 2
STATEMENTS_MAX = 14
LIFETIME = {"held_s": 30.0, "valid_s": 86400.0, "quarantine_s": QUARANTINE_S, "registration_s": 600.0}
SETTINGS: dict[str, Any] = {
    "system": {"name": "mc2", "identifier": "mms.mc2.lab", "home_domain": "ims.mc2.lab"},
    "http": {"address": "127.0.0.1", "port": 0, "clients": {"csc_x": ["cms"], "feed": ["proxy"]}, "client_ca": "x"},
    "tls": {"certificate": "x", "private_key": "x"},
    "diameter": {
        "origin_host": "mms.mc2.lab",
        "origin_realm": "ims.mc2.lab",
        "address": "127.0.0.1",
        "port": 0,
        "peers": ["proxy"],
        "scscf": ["sip:scscf.mc2.lab"],
    },
    "partners": [{"name": "mc1", "realms": ["ims.mc1.lab"], "migration_management_servers": ["mms.mc1.lab"]}],
}
users = st.integers(0, USERS - 1)
instances = st.integers(0, 1)


def pool_set(number: int) -> dict[str, Any]:
    """Return a partner set as the configuration has it."""
    impi = f"mig-{number}@ims.mc2.lab"
    return {"private_user_identity": impi, "public_user_identities": [f"sip:{impi}"]}


class SuddenEnd(BaseException):
    """The instance ends here; nothing of it runs on."""


class Core:
    """Answers each RTR at once, as told."""

    longest_s = 0.0

    def __init__(self, rtr: Callable[[], bool]) -> None:
        self._rtr = rtr

    def next_end_to_end(self) -> int:
        return 1

    async def __call__(self, _binding: IdentityBinding, _end_to_end: int, *, retransmitted: bool) -> bool:
        return self._rtr()


class Instance:
    """The parts of one MMS over the common database."""

    def __init__(self, config: MmsConfig, clock: Callable[[], float], rtr: Callable[[], bool]) -> None:
        self.store = BindingStore(config.store.url, 2.0)
        self.server = MigrationManagementServer(
            config, self.store, clock=clock, randomness=secrets.token_bytes, pools=load_pools(config)
        )
        self.cx = CxServer(config, self.store, clock=clock)
        self.feed = Feed(self.store, LentRange(domain="ims.mc2.lab", prefix="mig-"), clock=clock)

        self.withdrawal = Withdrawal(
            self.store, clock=clock, quarantine_s=config.lifetime.quarantine_s, deregisterer=Core(rtr)
        )
        self.statements_left: int | None = None
        self.is_killed = True
        engine = self.store._engine.sync_engine
        event.listen(engine, "before_cursor_execute", self._count)
        event.listen(engine, "commit", self._count)

    def _count(self, *_of: object) -> None:
        if self.statements_left is None:
            return
        self.statements_left -= 1
        if self.statements_left > 0:
            return
        self.statements_left = None
        if self.is_killed:
            raise SuddenEnd
        task = asyncio.current_task()
        assert task is not None
        task.cancel()


class StoreMachine(RuleBasedStateMachine):
    """One run: a fresh database, two instances, a proxy that follows the feed."""

    new_database: ClassVar[Callable[[], Database]]
    folder: ClassVar[Path]
    lifetime: ClassVar[dict[str, float]] = LIFETIME
    sets: ClassVar[int] = SETS

    @initialize()
    def begin(self) -> None:
        """Start both instances."""
        self.runner = asyncio.Runner()
        self.database = type(self).new_database()
        pool = {"mode": "pool", "sets": [pool_set(number) for number in range(self.sets)]}
        changes = {"lifetime": self.lifetime, "store": {"url": self.database.url}, "allocation": {"partner": pool}}
        (self.folder / "x").touch()
        self.config = validate({**SETTINGS, **changes}, MmsConfig, name="mms.toml", folder=self.folder)
        self.now = NOW
        self.rtr_confirmed = True
        self.instances = [self._instance(), self._instance()]
        self.handles: dict[int, str] = {}
        self.ended: dict[str, tuple[str, float]] = {}
        self.holders: dict[str, str] = {}
        self.map: dict[str, FeedEntry] = {}
        self.version = self.began = 0

    @rule(user=users, at=instances)
    def hold(self, user: int, at: int) -> None:
        """Step 10 for a user."""
        self._run(at, self._hold(user, at))

    @rule(user=users, at=instances)
    def confirm(self, user: int, at: int) -> None:
        """Step 12 was reached."""
        self._run(at, self.instances[at].server.confirm(self._handle(user), "", "cms"))

    @rule(user=users, at=instances)
    def register(self, user: int, at: int) -> None:
        """SAR of the S-CSCF, over Cx."""
        self._run(at, self._register(user, at))

    @rule(user=users, at=instances, confirmed=st.booleans())
    def release(self, user: int, at: int, confirmed: bool) -> None:
        """The binding is given back."""
        self.rtr_confirmed = confirmed
        self._run(at, self.instances[at].withdrawal.release(self._handle(user), "", "cms"))

    @rule(user=users, at=instances, confirmed=st.booleans())
    def withdraw(self, user: int, at: int, confirmed: bool) -> None:
        """The binding is disabled."""
        self.rtr_confirmed = confirmed
        self._run(at, self.instances[at].withdrawal.disable(self._handle(user), "", "admin"))

    @rule(user=users, at=instances)
    def restore(self, user: int, at: int) -> None:
        """It may be used again."""
        self._run(at, self.instances[at].withdrawal.enable(self._handle(user), "", "admin"))

    @rule(seconds=st.sampled_from([1.0, 31.0, 601.0, 3601.0, 90_000.0]))
    def pass_time(self, seconds: float) -> None:
        """Time goes by, and both instances sweep at the same moment."""
        self.now += seconds

        async def sweep_both() -> None:
            await asyncio.gather(*(one.withdrawal.sweep() for one in self.instances))
            await asyncio.gather(*_others())  # RTRs that a sweep has begun

        self.runner.run(sweep_both())

    @rule(
        user=users,
        at=instances,
        what=st.sampled_from(["hold", "confirm", "register", "release", "withdraw", "restore", "sweep"]),
        statement=st.integers(1, STATEMENTS_MAX),
        is_killed=st.booleans(),
    )
    def end_in_the_middle(self, user: int, at: int, what: str, statement: int, is_killed: bool) -> None:
        """An instance ends, or its task is cancelled, at the n-th statement or commit; another takes its place."""
        instance = self.instances[at]
        handle = self._handle(user)
        work: dict[str, Callable[[], Awaitable[Any]]] = {
            "hold": lambda: self._hold(user, at),
            "confirm": lambda: instance.server.confirm(handle, "", "cms"),
            "register": lambda: self._register(user, at),
            "release": lambda: instance.withdrawal.release(handle, "", "cms"),
            "withdraw": lambda: instance.withdrawal.disable(handle, "", "admin"),
            "restore": lambda: instance.withdrawal.enable(handle, "", "admin"),
            "sweep": instance.withdrawal.sweep,
        }
        instance.statements_left, instance.is_killed = statement, is_killed
        self._run(at, work[what]())
        instance.statements_left = None
        self.runner.run(self._replace(at))

    @invariant()
    def what_is_stored_agrees_with_itself(self) -> None:
        """One live binding per key, one holder per set, audit and state agree."""
        if hasattr(self, "database"):
            require_consistent(self.database)

    @invariant()
    def no_set_is_lent_again_before_its_quarantine_is_over(self) -> None:
        """Whoever holds a set now: the one before never was confirmed, or ended ``quarantine_s`` ago."""
        if not hasattr(self, "database"):
            return
        for handle, impi, state in self.database.rows("SELECT handle, private_user_identity, state FROM bindings"):
            before = self.holders.get(impi)
            if before is not None and before != handle:
                last_state, free_at = self.ended[before]
                assert last_state == "held" or free_at <= self.now, f"{impi} went from {before} to {handle} too soon"
            self.holders[impi] = handle
            if self.ended.get(handle, ("", 0.0))[0] != state:
                free_at = self.now + QUARANTINE_S if state == "quarantined" else float("inf")
                self.ended[handle] = (state, free_at)

    @invariant()
    def the_feed_replayed_is_what_is_stored(self) -> None:
        """A proxy that applies page after page has exactly the bindings that are served."""
        if not hasattr(self, "database"):
            return
        self.runner.run(self._follow())
        query = (
            "SELECT handle, private_user_identity, valid_until, enabled, releasing FROM bindings"
            " WHERE state IN ('allocated', 'registered')"
        )
        wanted = {row[0]: (row[1], row[2], bool(row[3]) and not row[4]) for row in self.database.rows(query)}
        found = {
            name: (entry.identities.private_user_identity, entry.not_after.timestamp(), entry.enabled)
            for name, entry in self.map.items()
        }
        assert found == wanted, "a proxy that follows the feed has something else"

    def teardown(self) -> None:
        """Close everything."""
        if not hasattr(self, "runner"):
            return
        for at in range(len(self.instances)):
            self.runner.run(self._end(at))
        self.runner.close()

    def _instance(self) -> Instance:
        return Instance(self.config, lambda: self.now, lambda: self.rtr_confirmed)

    def _handle(self, user: int) -> str:
        return self.handles.get(user, "b-none")

    def _run(self, at: int, work: Awaitable[Any]) -> None:
        """Run a request to its answer, a refusal or its sudden end."""

        async def run() -> None:
            try:
                await work
            except (MigrationError, SuddenEnd):
                pass
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()

        self.runner.run(run())

    async def _hold(self, user: int, at: int) -> None:
        primary = {
            "private_user_identity": f"mig-{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:mig-{user}@ims.mc1.lab"],
        }
        request = PartnerSipIdentitiesRequest.model_validate(
            {
                "primary_mc_system": "mc1",
                "migration_management_server": "mms.mc1.lab",
                "primary_mc_system_sip_identities": primary,
                "mc_service_ids": [f"sip:{user}@mc1.lab"],
            }
        )
        binding = await self.instances[at].server.get_partner_sip_identities(request, "cms")
        self.handles[user] = binding.handle

    async def _register(self, user: int, at: int) -> None:
        found = self.database.rows(
            "SELECT private_user_identity FROM bindings WHERE handle = :handle", handle=self._handle(user)
        )
        impi = found[0][0] if found else "mig-none@ims.mc2.lab"
        avps = [
            d.SESSION_ID.encode("scscf;1;1"),
            d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
            d.AUTH_SESSION_STATE.encode(AuthSessionState.NO_STATE_MAINTAINED),
            d.ORIGIN_HOST.encode("scscf.mc2.lab"),
            d.ORIGIN_REALM.encode("ims.mc2.lab"),
            d.DESTINATION_REALM.encode("ims.mc2.lab"),
            d.USER_NAME.encode(impi),
            d.PUBLIC_IDENTITY.encode(f"sip:{impi}"),
            d.SERVER_NAME.encode("sip:scscf.mc2.lab"),
            d.SERVER_ASSIGNMENT_TYPE.encode(ServerAssignmentType.REGISTRATION),
            d.USER_DATA_ALREADY_AVAILABLE.encode(Availability.USER_DATA_NOT_AVAILABLE),
        ]
        answer = await self.instances[at].cx.answer(encode_request(SAR, end_to_end=1, avps=avps))
        assert answer is not None
        result = Message.decode(answer).result()
        assert result is not None
        assert result[1] < 3000 or result[1] >= 5000, result

    async def _follow(self) -> None:
        complete = False
        while not complete:
            page = await self.instances[self.version % 2].feed.page(self.version, 2, 0.0, began=self.began)
            if page.reset:
                self.map.clear()
            for entry in page.entries:
                if entry.deleted:
                    self.map.pop(entry.binding, None)
                else:
                    self.map[entry.binding] = entry
            self.version, self.began, complete = page.version, page.began, page.complete

    async def _replace(self, at: int) -> None:
        await self._end(at)
        self.instances[at] = self._instance()

    async def _end(self, at: int) -> None:
        for task in _others():
            task.cancel()
        await asyncio.gather(*_others(), return_exceptions=True)
        await self.instances[at].store.close()


def _others() -> list["asyncio.Task[Any]"]:
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
