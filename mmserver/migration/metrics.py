"""What the migration management server counts, and the levels that are read from the store when somebody scrapes.

Labels hold names from the configuration and the names of problems, nothing that a caller makes up.  Levels that cost a
walk over a table are read again after ``AGE_S`` only, whoever scrapes and however often.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from mmserver.http.metrics import GaugeUnavailable, Labels, Metrics
from mmserver.messages import Role
from mmserver.migration.errors import StoreUnavailable
from mmserver.migration.pools import Pools
from mmserver.migration.store import BindingStore

AGE_S: Final = 15.0

Levels = Mapping[Labels, float]


class MmsMetrics:
    """All families of the MMS."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        store: BindingStore,
        pools: Pools,
        feed_readers: tuple[str, ...],
        peers: tuple[str, ...],
        open_peers: Callable[[], tuple[str, ...]],
    ) -> None:
        self.families = metrics
        self._store = store
        self._pools = pools
        self._feed_readers = feed_readers
        self._peers = peers
        self._open_peers = open_peers
        whom = ("role", "other_mc_system")
        self._allocations = metrics.counter("mms_allocations", "Steps 5 and 10 that lent a set.", *whom, "outcome")
        self._refusals = metrics.counter("mms_refusals", "Requests refused, by step and problem.", "step", "problem")
        self._rtrs = metrics.counter("mms_rtrs", "Sets taken out of their S-CSCF, by outcome.", "outcome")
        metrics.gauge("mms_bindings", "Bindings, by state.", _kept(self._bindings), *whom, "state", "enabled")
        metrics.gauge("mms_pool_sets", "Sets configured; * are for all inbound users.", self._sizes, *whom)
        metrics.gauge("mms_pool_sets_free", "Sets neither lent nor quarantined.", _kept(self._free), *whom)
        text = "Versions of the feed that a proxy has not acknowledged."
        metrics.gauge("mms_feed_lag_versions", text, _available(self._lag), "proxy")
        metrics.gauge("mms_diameter_peer_open", "1 while the proxy is connected.", self._peers_open, "peer")
        text = "Withdrawals of users and agreements that stand."
        metrics.gauge("mms_withdrawals", text, _available(self._withdrawals), *whom, "of")

    @classmethod
    def of_nothing(cls) -> "MmsMetrics":
        """Return the families of a server that does not run, for its OpenAPI document."""
        nothing: Any = None
        return cls(Metrics(), store=nothing, pools=Pools(), feed_readers=(), peers=(), open_peers=tuple)

    def take_up(self, pools: Pools) -> None:
        """Count these sets from now on."""
        self._pools = pools

    def allocated(self, role: Role, other_mc_system: str, outcome: str) -> None:
        """Count a set that was lent: new, renewed, or the one that the user had."""
        self._allocations.add(role.value, other_mc_system, outcome)

    def refused(self, step: str | None, problem: str) -> None:
        """Count a refusal."""
        self._refusals.add(step or "", problem)

    def deregistered(self, confirmed: bool) -> None:
        """Count the outcome of an RTR with all its tries."""
        self._rtrs.add("confirmed" if confirmed else "unconfirmed")

    async def _bindings(self) -> Levels:
        async with self._store.reading() as transaction:
            rows = await transaction.count_by_state()
        return {(role, other, state, str(enabled).lower()): count for role, other, state, enabled, count in rows}

    async def _sizes(self) -> Levels:
        sizes: dict[Labels, float] = {
            (Role.PRIMARY.value, name): float(size) for name, size in self._pools.primary_sizes.items()
        }
        for name, sets in self._pools.own.items():
            sizes[Role.PARTNER.value, name] = float(len(sets))
        return sizes

    async def _free(self) -> Levels:
        levels: dict[Labels, float] = {}
        async with self._store.reading() as transaction:
            for labels, impis in self._named_pools():
                taken = await transaction.taken(impis, scope="")
                levels[labels] = float(len(impis) - len(taken))
        return levels

    async def _lag(self) -> Levels:
        async with self._store.reading() as transaction:
            newest, _horizon = await transaction.feed_position()
            acknowledged = await transaction.acknowledged()
        return {(proxy,): float(max(0, newest - acknowledged.get(proxy, 0))) for proxy in self._feed_readers}

    async def _peers_open(self) -> Levels:
        now = self._open_peers()
        return {(peer,): float(peer in now) for peer in self._peers}

    async def _withdrawals(self) -> Levels:
        levels: dict[Labels, float] = {}
        async with self._store.reading() as transaction:
            for row in await transaction.withdrawals.find_all(None, None, None, "", 1_000_000):
                labels = (row.role.value, row.other_mc_system, "user" if row.mc_service_id else "agreement")
                levels[labels] = levels.get(labels, 0.0) + 1
        return levels

    def _named_pools(self) -> Iterator[tuple[Labels, list[str]]]:
        by_partner: dict[str, list[str]] = {}
        for (_user, partner), sets in self._pools.primary.items():
            by_partner.setdefault(partner, []).extend(one.private_user_identity for one in sets)
        for partner, impis in by_partner.items():
            yield (Role.PRIMARY.value, partner), impis
        for name, owned in self._pools.own.items():
            yield (Role.PARTNER.value, name), [one.private_user_identity for one in owned]


def _kept(read: Callable[[], Awaitable[Levels]]) -> Callable[[], Awaitable[Levels]]:
    last: list[tuple[float, Levels]] = []

    async def kept() -> Levels:
        if not last or time.monotonic() - last[0][0] >= AGE_S:
            last[:] = [(time.monotonic(), await read())]
        return last[0][1]

    return _available(kept)


def _available(read: Callable[[], Awaitable[Levels]]) -> Callable[[], Awaitable[Levels]]:
    async def available() -> Levels:
        try:
            return await read()
        except StoreUnavailable as exc:
            raise GaugeUnavailable(str(exc)) from exc

    return available
