"""``mms.toml`` read again while the server runs: agreements, pools and TLS files, taken over as a whole or not at all.

What waits for a restart is named.  Nothing of a file that cannot be used is put in force.
"""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from mmserver.http.settings import ConfigError, changed_settings
from mmserver.http.tls import ClientTrust, ExchangeableContext, TlsError, server_context
from mmserver.messages import Role
from mmserver.migration.agreements import Agreements
from mmserver.migration.config import MmsConfig, load_config
from mmserver.migration.cx_node import CxNode
from mmserver.migration.errors import MigrationError, ReloadRefused
from mmserver.migration.metrics import MmsMetrics
from mmserver.migration.pools import Pools, load_pools
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore

NEED_RESTART: Final = ("system", "http", "diameter", "store", "sip_database", "lifetime", "metrics")
SIGNAL: Final = "SIGHUP"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What is in force now, and the settings whose change waits for a restart."""

    partners: tuple[str, ...]
    primary_sets: int
    partner_sets: int
    need_restart: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """Every file that the new configuration names, read and checked."""

    pools: Pools
    trust: ClientTrust
    context: ssl.SSLContext
    node: Any


def client_trust(config: MmsConfig) -> ClientTrust:
    """Return whose certificates count on CSC-X and the feed.

    Raises:
        TlsError: the CA cannot be used.
    """
    clients = (*config.http.clients.of_csc_x, *config.http.clients.feed, *config.metrics.clients)
    return ClientTrust.of_one_ca(clients, config.http.client_ca)


def effective(old: MmsConfig, new: MmsConfig) -> tuple[MmsConfig, tuple[str, ...]]:
    """Return what of ``new`` is put in force now over ``old``, and the settings whose change waits for a restart.

    Raises:
        ConfigError: what is put in force now needs what waits.
    """
    if new.allocation.partner.prefix != old.allocation.partner.prefix:
        raise ConfigError("allocation.partner.prefix: the proxies hold the old one: restart to change it")
    modes = (new.allocation.primary.mode, new.allocation.partner.mode)
    if "sip-database" in modes and old.sip_database is None:
        raise ConfigError("sip_database: an allocation of mode sip-database asks it: restart to add it")
    http = old.http.model_copy(update={"client_ca": new.http.client_ca})
    asked = old.sip_database
    if asked is not None and new.sip_database is not None and (asked.ca is None) is (new.sip_database.ca is None):
        asked = asked.model_copy(update={"ca": new.sip_database.ca})
    config = old.model_copy(
        update={
            "partners": new.partners,
            "allocation": new.allocation,
            "tls": new.tls,
            "http": http,
            "sip_database": asked,
        }
    )
    return config, tuple(changed_settings(config, new, NEED_RESTART))


class Reload:
    """Reads the file again and has every part take it up."""

    def __init__(
        self,
        config: MmsConfig,
        path: Path | None,
        *,
        store: BindingStore,
        agreements: Agreements,
        server: MigrationManagementServer,
        metrics: MmsMetrics,
        cx: CxNode,
        trust: ClientTrust,
        context: ExchangeableContext,
        load: Callable[[Path], MmsConfig] = load_config,
    ) -> None:
        self._config = config
        self._path = path
        self._store = store
        self._agreements = agreements
        self._server = server
        self._metrics = metrics
        self._cx = cx
        self._trust = trust
        self._context = context
        self._load = load
        self._one_at_a_time = asyncio.Lock()

    async def run(self, actor: str) -> Reloaded:
        """Put the file in force.

        Raises:
            ReloadRefused: it cannot be used; the old one stays in force.
            StoreUnavailable: it cannot be said whether a partner may go; the old one stays in force.
        """
        async with self._one_at_a_time:
            try:
                config, later = await self._wanted()
                read = await asyncio.to_thread(self._read, config)
                await self._require_nobody_at(set(_names(self._config)) - set(_names(config)))
            except (ConfigError, TlsError) as exc:
                log.error("reload.refused", by=actor, why=str(exc), consequence="the old configuration stays in force")
                raise ReloadRefused(str(exc)) from exc
            self._take_up(config, read)
        sets = (sum(read.pools.primary_sizes.values()), sum(len(sets) for sets in read.pools.own.values()))
        done = Reloaded(_names(config), *sets, later)
        log.info("reload.done", by=actor, partners=done.partners, sets=sum(sets), need_restart=later)
        return done

    async def on_signal(self) -> None:
        """Put the file in force (SIGHUP); what goes wrong is one log line."""
        try:
            await self.run(SIGNAL)
        except ReloadRefused:
            return  # it has been logged
        except MigrationError as exc:
            log.error("reload.refused", by=SIGNAL, why=str(exc), consequence="the old configuration stays in force")

    @property
    def _name(self) -> str:
        return "" if self._path is None else self._path.name

    async def _wanted(self) -> tuple[MmsConfig, tuple[str, ...]]:
        if self._path is None:
            raise ConfigError("there is no file to read again")
        new = await asyncio.to_thread(self._load, self._path)
        try:
            return effective(self._config, new)
        except ConfigError as exc:
            raise ConfigError(f"{self._name}: {exc}") from exc

    def _read(self, config: MmsConfig) -> _Read:
        try:
            pools = load_pools(config)
        except ConfigError as exc:
            raise ConfigError(f"{self._name}: {exc}") from exc
        try:
            trust = client_trust(config)
            context = server_context(config.tls.credentials(), trust)
            return _Read(pools, trust, context, self._cx.read_tls(config))
        except TlsError as exc:
            raise TlsError(f"{self._name}: tls: {exc}") from exc

    async def _require_nobody_at(self, gone: set[str]) -> None:
        """Let no agreement go while its bindings may be used: nobody could withdraw them afterwards.

        Raises:
            ConfigError: there are some.
        """
        for name in sorted(gone):
            async with self._store.reading() as transaction:
                for role in Role:
                    if await transaction.find_live_of(role, name, "", withdrawal=None, limit=1):
                        raise ConfigError(
                            f"{self._name}: partners: {name} is gone and bindings with it are in use: "
                            "keep it, or first `mmserver migration withdraw "
                            f"--partner {name} --role {role.value} --all-users`"
                        )

    def _take_up(self, config: MmsConfig, read: _Read) -> None:
        # No await from here on: a request sees all of the old one or all of the new one.
        self._agreements.replace(config.partners)
        self._server.take_up(config, read.pools)
        self._metrics.take_up(read.pools)
        self._trust.become(read.trust)
        self._context.exchange(read.context)
        self._cx.take_up(read.node)
        self._config = config


def _names(config: MmsConfig) -> tuple[str, ...]:
    return tuple(partner.name for partner in config.partners)
