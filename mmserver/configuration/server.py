"""Joins the parts of the configuration management server and runs them: HTTPS, clients, store, withdrawals, reload."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import structlog

from mmserver.configuration.api import Parts, create_api
from mmserver.configuration.catalogue import Catalogue, Kind, make_catalogue
from mmserver.configuration.config import CmsConfig, load_config
from mmserver.configuration.cross_check import NOT_CHECKED, CrossCheck
from mmserver.configuration.directory import Directory
from mmserver.configuration.dry_run import Trial
from mmserver.configuration.endings import Endings
from mmserver.configuration.errors import ReloadRefused, StoreUnavailable
from mmserver.configuration.mms_client import MmsClient
from mmserver.configuration.peer import Peer, PeerFailure
from mmserver.configuration.procedure import PartnerSide, PrimarySide
from mmserver.configuration.tls_files import TlsFiles, client_trust
from mmserver.configuration.withdrawals import Withdrawals
from mmserver.http.app import create_metrics_app
from mmserver.http.logs import configure_logs
from mmserver.http.metrics import Metrics
from mmserver.http.readiness import MMS, STORE, WITHIN_S, Missing, WriteProbe
from mmserver.http.server import HttpServer, announce_ready, reload_signal, stop_signals
from mmserver.http.tls import client_context, server_context
from mmserver.http.tokens import IssuerKeys, KeysUnavailable, TokenRules, TokenVerifier

log = structlog.get_logger()


class Server:
    """All parts of one CMS, put together; ``async with`` starts and stops them."""

    def __init__(self, config: CmsConfig, path: Path | None = None) -> None:
        """Join the parts.

        Raises:
            ConfigError, TlsError: a file that the configuration names cannot be used.
        """
        self._config = config
        self._tls = TlsFiles(config, make_catalogue(config))
        self._clients = self._tls.partners
        self._store = _open_store(config)
        self._probe = None if self._store is None else WriteProbe(self._store.touch, {StoreUnavailable: STORE})
        self.directory = Directory(
            config,
            store=self._store,
            load=None if path is None else lambda: load_config(path),
            clock=time.time,
            on_change=self._take_up,
        )
        self._metrics = Metrics()
        self._mms = MmsClient(self._tls.mms)
        self._cross_check = CrossCheck(self._mms, lambda: self.directory.current)
        keep_s = config.store.keep_s if config.store else 7 * 86400.0
        self._withdrawals = Withdrawals(self._mms, self._clients, store=self._store, keep_s=keep_s)
        self._endings = Endings(self._mms, self._withdrawals.ended)
        self._https = self._listener()
        self._stack = contextlib.AsyncExitStack()
        self._http: HttpServer | None = None

    @property
    def listen(self) -> list[str]:
        """The addresses really bound."""
        return [self._https.listen, *([self._http.listen] if self._http else [])]

    async def __aenter__(self) -> "Server":
        """Start: the store is looked at first, so that nothing is served from half the data.

        Raises:
            ListenFailed, StoreUnavailable, TlsError: the server cannot run.
        """
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._tls.close)
            if self._store is not None:
                stack.push_async_callback(self._store.close)
                assert self._probe is not None
                stack.push_async_callback(self._probe.close)
                await self._store.require_schema()
            await self.directory.start()
            await self._withdrawals.start()
            await stack.enter_async_context(self._https)
            if self._config.metrics.address is not None:
                app = create_metrics_app(self._metrics, self.missing)
                address, port = self._config.metrics.address, self._config.metrics.port
                self._http = await stack.enter_async_context(HttpServer(app, address=address, port=port, context=None))
            await stack.enter_async_context(_background(self._withdrawals.run()))
            await stack.enter_async_context(_background(self._endings.run()))
            await stack.enter_async_context(_background(self._cross_check.run()))
            if self._config.store is not None:
                await stack.enter_async_context(_background(self.directory.watch(self._config.store.poll_s)))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Stop: requests under way end first, then what they need."""
        await self._stack.aclose()

    async def on_signal(self) -> None:
        """Read the configuration file again (SIGHUP); what cannot be used changes nothing and has been logged."""
        with contextlib.suppress(ReloadRefused):
            await self.directory.reload("SIGHUP")
            await self._cross_check.review()

    def _take_up(self, config: CmsConfig, catalogue: Catalogue) -> None:
        self._tls.take_up(config, catalogue)  # may refuse
        self._endings.changed(catalogue)

    async def missing(self, within_s: float = WITHIN_S) -> Missing | None:
        """Return what keeps the server from serving, or None; the other server and the store are asked at once."""
        mms = self._mms_missing(within_s)
        if self._probe is None:
            return await mms
        no_mms, no_store = await asyncio.gather(mms, self._probe.missing())
        return no_mms or no_store

    async def _mms_missing(self, within_s: float) -> Missing | None:
        try:
            await self._tls.mms.get_json(f"{self._config.mms.url}/health", within_s)
        except PeerFailure as exc:
            return Missing(MMS, str(exc))
        return None

    def _listener(self) -> HttpServer:
        idms = self._config.idms
        rules = TokenRules(idms.issuer, idms.audience, frozenset(idms.scopes), idms.leeway_s)
        current: Callable[[], Catalogue] = lambda: self.directory.current  # noqa: E731  # read anew by every request
        primary = PrimarySide(current, self._mms, self._clients)
        parts = Parts(
            directory=self.directory,
            verifier=TokenVerifier(rules, IssuerKeys(idms.issuer, self._fetch)),
            primary=primary,
            partner=PartnerSide(current, self._mms),
            trial=Trial(current, primary, self._mms, self._clients),
            tellings=self._withdrawals,
            withdrawals=self._mms,
            cross_check=self._cross_check,
            readiness=self.missing,
            audit=self._store,
            metrics=self._metrics,
        )
        self._metrics.gauge("cms_tellings_pending", "Partners to be told.", self._pending, "partner")
        self._metrics.gauge("cms_entries", "Entries of file and API.", self._entries, "kind", "source")
        return HttpServer(
            create_api(self._config, parts),
            address=self._config.http.address,
            port=self._config.http.port,
            context=self._tls.server.listening,
            trust=self._tls.trust,
        )

    async def _fetch(self, url: str) -> Any:
        try:
            return await self._tls.idms.get_json(url)
        except PeerFailure as exc:
            raise KeysUnavailable(str(exc)) from exc

    async def _pending(self) -> dict[tuple[str, ...], float]:
        return {(name,): float(count) for name, count in self._withdrawals.pending().items()}

    async def _entries(self) -> dict[tuple[str, ...], float]:
        counts: dict[tuple[str, ...], float] = {}
        for kind in Kind:
            for one in self.directory.current.listed[kind]:
                key = (kind.value, one.source.value)
                counts[key] = counts.get(key, 0.0) + 1.0
        return counts


async def run(config: CmsConfig, path: Path) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP reloads.

    Raises:
        ListenFailed: the address cannot be bound.
        ConfigError, TlsError: a file cannot be used.
        StoreUnavailable: the store cannot be used, or its schema is another one.
    """
    configure_logs(program="cms", system=config.system.name)
    async with stop_signals() as stop, Server(config, path) as server, reload_signal(server.on_signal):
        announce_ready(server.listen)
        await stop.wait()
        log.info("program.stopping")


def check(config: CmsConfig) -> Catalogue:
    """Read every file that the configuration names; return what the file puts in force.

    Raises:
        ConfigError, TlsError: one of them cannot be used.
    """
    catalogue = make_catalogue(config)
    for partner in catalogue.partners.values():
        client_context(partner.ca)
    client_context(config.mms.ca)
    client_context(config.idms.ca)
    server_context(config.tls.credentials(), client_trust(config, catalogue), required=False)
    return catalogue


async def held_against_mms(config: CmsConfig, catalogue: Catalogue) -> tuple[str, ...]:
    """Return where these agreements and those of our migration management server differ, or why that is not known.

    Raises:
        TlsError: our certificate, key or CA cannot be used.
    """
    peer = Peer(config.mms.url, client_context(config.mms.ca, config.tls.credentials()), config.mms.timeout_s)
    try:
        return await CrossCheck(MmsClient(peer), lambda: catalogue).find()
    except PeerFailure as exc:
        return (NOT_CHECKED.format(why=exc),)
    finally:
        await peer.close()


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI description; nothing behind it runs."""
    nothing: Any = None

    async def ready() -> Missing | None:
        return None

    parts = Parts(nothing, nothing, nothing, nothing, nothing, nothing, nothing, nothing, ready)
    defaults: Any = CmsConfig.model_construct
    return create_api(defaults(), parts).openapi()


def _open_store(config: CmsConfig) -> Any:
    if config.store is None:
        return None
    # SQLAlchemy takes a third of a second to load: only where there is a store.
    from mmserver.configuration.store import Store

    return Store(config.store.url, config.store.busy_timeout_s)


@contextlib.asynccontextmanager
async def _background(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    task.add_done_callback(_say_if_failed)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def _say_if_failed(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("task.failed", exc_info=task.exception())
