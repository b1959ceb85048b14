"""The running program: HTTP, the Cx node and the sweep in one event loop, and their clean end."""

import asyncio
import contextlib
import secrets
import time
from pathlib import Path
from typing import Any

import structlog

from mmserver.http.app import create_metrics_app
from mmserver.http.limits import CALLERS_MAX, RateLimit
from mmserver.http.logs import configure_logs
from mmserver.http.metrics import Metrics
from mmserver.http.readiness import PROXIES, SCHEMA, STORE, Missing, ReadinessCheck, WriteProbe
from mmserver.http.server import HttpServer, announce_ready, reload_signal, stop_signals
from mmserver.http.settings import MetricsTable
from mmserver.http.tls import ExchangeableContext, server_context
from mmserver.messages import LentRange
from mmserver.migration.agreements import Agreements
from mmserver.migration.api import Parts, create_api
from mmserver.migration.config import ClientsTable, MmsConfig
from mmserver.migration.cx import CxServer
from mmserver.migration.cx_node import CxNode
from mmserver.migration.errors import MigrationError, SchemaOutdated
from mmserver.migration.feed import Feed
from mmserver.migration.metrics import MmsMetrics
from mmserver.migration.pools import load_pools
from mmserver.migration.provisioning import Provisioning
from mmserver.migration.reload import Reload, client_trust
from mmserver.migration.server import MigrationManagementServer
from mmserver.migration.store import BindingStore
from mmserver.migration.user_withdrawals import UserWithdrawals, sweep_withdrawals_for_ever
from mmserver.migration.withdrawal import Withdrawal, sweep_for_ever

log = structlog.get_logger()


class Service:
    """All parts of one MMS, put together; ``async with`` starts and stops them."""

    def __init__(self, config: MmsConfig, path: Path | None = None) -> None:
        """Join the parts; ``path`` is the file to read again on SIGHUP.

        Raises:
            ConfigError, TlsError: a file that the configuration names cannot be used.
        """
        self._config = config
        self.store = BindingStore(
            config.store.url, config.store.busy_timeout_s, clock=time.time, on_life_ended=self._on_life_ended
        )
        lent_range = LentRange(domain=config.system.home_domain, prefix=config.allocation.partner.prefix)
        self.feed = Feed(self.store, lent_range, clock=time.time)
        self._probe = WriteProbe(self._try_store, {SchemaOutdated: SCHEMA, MigrationError: STORE})
        agreements = Agreements(config.partners)
        self.cx = CxNode(config, CxServer(config, self.store, clock=time.time, agreements=agreements))
        pools = load_pools(config)
        self.metrics = MmsMetrics(
            Metrics(),
            store=self.store,
            pools=pools,
            feed_readers=config.http.clients.feed,
            peers=config.diameter.peers,
            open_peers=self.cx.open_peers,
        )
        self.withdrawal = Withdrawal(
            self.store,
            clock=time.time,
            quarantine_s=config.lifetime.quarantine_s,
            deregisterer=self.cx.deregistration,
            rtr_rate_per_s=config.diameter.rtr_rate_per_s,
            on_change=self.feed.notify,
            on_deregistered=self.metrics.deregistered,
            proxies=config.http.clients.feed,
        )
        self.user_withdrawals = UserWithdrawals(
            self.store,
            self.withdrawal,
            clock=time.time,
            randomness=secrets.token_bytes,
            partners=agreements,
            proxies=config.http.clients.feed,
        )
        self.server = MigrationManagementServer(
            config,
            self.store,
            clock=time.time,
            randomness=secrets.token_bytes,
            pools=pools,
            sip_database=self.cx.sip_database,
            on_change=self.feed.notify,
            on_allocated=self.metrics.allocated,
            agreements=agreements,
        )
        self.provisioning = Provisioning(
            config,
            self.store,
            clock=time.time,
            randomness=secrets.token_bytes,
            on_change=self.feed.notify,
            agreements=agreements,
        )
        trust = client_trust(config)
        context = ExchangeableContext(server_context(config.tls.credentials(), trust))
        self.reload = Reload(
            config,
            path,
            store=self.store,
            agreements=agreements,
            server=self.server,
            metrics=self.metrics,
            cx=self.cx,
            trust=trust,
            context=context,
        )
        parts = Parts(
            self.server,
            self.withdrawal,
            self.user_withdrawals,
            self.provisioning,
            self.feed,
            self.store,
            self.metrics,
            self.missing,
            agreements,
            self.reload.run,
        )
        self.http = HttpServer(
            create_api(
                parts,
                config.http.clients,
                config.metrics.clients,
                config.http.in_progress_max,
                RateLimit(config.http.requests_per_s, config.http.burst, CALLERS_MAX),
            ),
            address=config.http.address,
            port=config.http.port,
            context=context.listening,
            trust=trust,
        )
        self._own_metrics = _metrics_server(config.metrics, self.metrics.families, self.missing)
        self._parts = contextlib.AsyncExitStack()

    @property
    def listen(self) -> list[str]:
        """The addresses really bound."""
        own = [] if self._own_metrics is None else [self._own_metrics.listen]
        return [self.http.listen, *self.cx.listen, *own]

    async def missing(self) -> Missing | None:
        """Return what keeps the server from serving, or None: a write to the store, its schema, a connected proxy."""
        missing = await self._probe.missing()
        if missing is not None:
            return missing
        if not self.cx.open_peers():
            return Missing(PROXIES, f"diameter: none of {', '.join(self._config.diameter.peers)} is connected")
        return None

    async def __aenter__(self) -> "Service":
        """Start: the store is looked at first, so that nothing listens over an old schema.

        Raises:
            SchemaOutdated, StoreUnavailable, ListenFailed: the server cannot run.
        """
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.store.close)
            stack.push_async_callback(self._probe.close)
            await self.store.require_schema()
            await self.store.begin_life()
            await self.cx.start()
            stack.push_async_callback(self.cx.stop)
            stack.push_async_callback(self.withdrawal.close)
            await self.http.start()
            stack.push_async_callback(self.http.stop)
            if self._own_metrics is not None:
                await stack.enter_async_context(self._own_metrics)
            stack.callback(self.feed.close)  # waiting readers go first
            for task in self._start_tasks():
                stack.push_async_callback(_cancel, task)
            self._parts = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Stop: waiting readers go, requests and RTRs under way end, peers get a DPR."""
        await self._parts.aclose()

    async def _try_store(self) -> None:
        await self.store.require_schema()
        await self.store.touch()

    def _on_life_ended(self) -> None:
        log.warning("store.restored", consequence="every reader of the feed starts again")
        self.feed.notify()

    def _start_tasks(self) -> "list[asyncio.Task[None]]":
        interval_s, loop = self._config.lifetime.sweep_s, asyncio.get_running_loop()
        return [
            loop.create_task(sweep_for_ever(self.withdrawal, interval_s)),
            loop.create_task(sweep_withdrawals_for_ever(self.user_withdrawals, interval_s)),
            loop.create_task(self.store.listen_for_ever(self.feed.notify)),
        ]


def _metrics_server(table: MetricsTable, metrics: Metrics, readiness: ReadinessCheck) -> HttpServer | None:
    if table.address is None:
        return None
    return HttpServer(create_metrics_app(metrics, readiness), address=table.address, port=table.port, context=None)


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def serve(config: MmsConfig, path: Path | None = None) -> None:
    """Run until a stop signal; SIGHUP has ``path`` read again.

    Raises:
        SchemaOutdated, StoreUnavailable, ListenFailed, TlsError: the server cannot run.
    """
    configure_logs(program="mms", system=config.system.name)
    async with stop_signals() as stop, Service(config, path) as service, reload_signal(service.reload.on_signal):
        log.info("program.started", listen=service.listen)
        announce_ready(service.listen)
        await stop.wait()
        log.info("program.stopping")


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI description; nothing behind it runs."""
    clients = ClientsTable(csc_x=("cms.example.org",))
    nothing: Any = None

    async def ready() -> Missing | None:
        return None

    return create_api(
        Parts(nothing, nothing, nothing, nothing, nothing, nothing, MmsMetrics.of_nothing(), ready, nothing, nothing),
        clients,
    ).openapi()
