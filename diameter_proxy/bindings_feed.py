"""Follows the MMS's feed of binding changes, looks identities up on a miss, and reports what the MMS must know.

Long poll with mutual TLS; changes are applied to the identity map between two reads, a page (at most 1,000) a step;
each page is acknowledged, so that a withdrawal is confirmed per proxy.  After ``reset`` a new map is built aside and
swapped in.  The MMS being away only ages the map.
"""

import asyncio
import importlib
import json
import random
import ssl
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import structlog

from diameter_proxy.config import Config, FeedTable
from diameter_proxy.feed_page import FeedError, FeedPage, parse_entry, parse_page
from diameter_proxy.identity_map import IdentityMap
from diameter_proxy.lent_range_file import LentRange, LentRangeFile
from diameter_proxy.node.certificate import CertificateUnusable, load_own_certificate
from diameter_proxy.proxy import Proxy

if TYPE_CHECKING:
    import httpx2

PAGE_ENTRIES_MAX: Final = 1000
PAGE_OCTETS_MAX: Final = 32 * 1024 * 1024
RETRY_S: Final = 0.1
GRACE_S: Final = 3.0
REPORTS_MAX: Final = 100
REPORT_TRIES: Final = 5

_random = random.SystemRandom()


class BindingsFeed:
    """The proxy's client of the MMS."""

    def __init__(self, config: Config, proxy: Proxy) -> None:
        """Read the certificates.

        Raises:
            FeedError: one of them cannot be used.
        """
        assert config.feed is not None
        self._table: Final[FeedTable] = config.feed
        self._config: Final = config
        self._proxy: Final = proxy
        self._url: Final = str(config.feed.url).rstrip("/") + "/feed/v1"
        self._wait_s: Final = min(self._table.wait_s, config.limits.max_map_age_s / 3)
        self._name: Final = config.node.origin_host
        self._log: Final = structlog.get_logger().bind(mms=config.feed.url.host)
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._client: httpx2.AsyncClient | None = None
        self._context: Final = feed_context(config, self._table)
        self._is_ready: Final = asyncio.Event()
        self._is_loaded: Final = asyncio.Event()
        self._fresh: IdentityMap | None = None
        self._acknowledged: int | None = None
        self._retry_s = RETRY_S
        self._is_failing = False
        self._range_file: Final = LentRangeFile(self._table.state) if self._table.state is not None else None
        self._begin_with_known_range()

    def start(self) -> None:
        """Begin to follow."""
        self._spawn(self._run())

    async def wait_until_loaded(self, within_s: float) -> bool:
        """Wait until the map is whole for the first time, or the time is over; say which."""
        try:
            await asyncio.wait_for(self._is_loaded.wait(), within_s)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Stop following; look-ups and reports under way are dropped."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    def look_up(self, identity: bytes) -> None:
        """Ask the MMS for one identity; the proxy hears the outcome within the look-up budget."""
        self._spawn(self._look_up(identity))

    def report_home_deregistration(self, impi: bytes, impus: tuple[bytes, ...]) -> None:
        """Tell the MMS that the HSS has de-registered a user who may have migrated."""
        if len(self._tasks) < REPORTS_MAX:
            self._spawn(self._report(impi, impus))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin_with_known_range(self) -> None:
        """Know our lent identities from natives before the first page: they wait (3002), nobody's HSS is asked."""
        known = self._range_file.read() if self._range_file is not None else None
        if known is None and self._table.lent_prefix:
            known = LentRange(self._table.lent_domain or self._config.node.origin_realm, self._table.lent_prefix)
        if known is not None:
            self._proxy.identities.set_range(*known)

    # --- following -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        httpx = await asyncio.to_thread(importlib.import_module, "httpx2")
        self._client = httpx.AsyncClient(trust_env=False, verify=self._context, timeout=self._wait_s + GRACE_S)
        self._is_ready.set()
        while True:
            try:
                await self._poll()
                await self._acknowledge()
            except _failures() as exc:
                await self._wait_after(f"{type(exc).__name__}: {exc}")
                continue
            self._retry_s = RETRY_S
            if self._is_failing:
                self._is_failing = False
                self._log.info("feed.resumed", version=self._proxy.identities.version)

    async def _poll(self) -> None:
        reading = self._fresh if self._fresh is not None else self._proxy.identities
        is_loading = self._fresh is not None or reading.age_s(0) is None
        octets = await self._get(
            "/changes",
            {
                "after": str(reading.version),
                "wait_s": "0" if is_loading or self._is_failing else f"{self._wait_s:g}",
                "limit": str(PAGE_ENTRIES_MAX),
            },
        )
        page = parse_page(octets)
        if page.reset:
            self._log.warning("feed.reset", version=reading.version)
            self._fresh = reading = IdentityMap()
        apply_page(reading, page, time.monotonic())
        if self._range_file is not None:
            await asyncio.to_thread(self._range_file.write, LentRange(page.range_domain, page.range_prefix))
        if self._fresh is not None and page.complete:
            self._proxy.identities.replace_by(self._fresh)
            self._fresh = None
        if is_loading and page.complete:
            self._is_loaded.set()
            self._log.info("feed.loaded", **self._proxy.identities.counts())

    async def _acknowledge(self) -> None:
        identities = self._proxy.identities
        if self._fresh is not None or identities.age_s(0) is None or identities.version == self._acknowledged:
            return
        version = identities.version
        await self._send("PUT", "/acknowledgement", {"proxy": self._name, "version": version})
        self._acknowledged = version

    async def _wait_after(self, reason: str) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._log.warning("feed.interrupted", reason=reason)
        await asyncio.sleep(self._retry_s * _random.uniform(0.5, 1.0))
        self._retry_s = min(self._retry_s * 2, self._table.retry_max_s)

    # --- look-ups and reports --------------------------------------------------------------------------------

    async def _look_up(self, identity: bytes) -> None:
        try:
            async with asyncio.timeout(self._config.budgets.look_up_s):
                await self._is_ready.wait()
                assert self._client is not None
                path = quote(identity.decode(errors="replace"), safe="")
                answer = await self._client.get(f"{self._url}/identities/{path}")
            if answer.status_code in (404, 422):
                entry = None
            elif answer.status_code == 200:
                entry = parse_entry(answer.content)
            else:
                raise FeedError(f"look-up: status {answer.status_code}")
        except _failures() as exc:
            self._log.warning("look-up.failed", reason=f"{type(exc).__name__}: {exc}")
            self._proxy.look_up_failed(identity)
            return
        self._proxy.look_up_finished(identity, entry)

    async def _report(self, impi: bytes, impus: tuple[bytes, ...]) -> None:
        body = {
            "event": "home-deregistration",
            "private_user_identity": impi.decode(errors="replace"),
            "public_user_identities": [impu.decode(errors="replace") for impu in impus],
        }
        await self._is_ready.wait()
        for attempt in range(REPORT_TRIES):
            try:
                await self._send("POST", "/events", body)
            except _failures() as exc:
                self._log.warning("event.refused", reason=f"{type(exc).__name__}: {exc}", attempt=attempt + 1)
                await asyncio.sleep(RETRY_S * 2**attempt)
            else:
                return
        self._log.error("event.lost", event_type=body["event"])

    # --- HTTP ------------------------------------------------------------------------------------------------

    async def _get(self, path: str, parameters: dict[str, str]) -> bytes:
        assert self._client is not None
        async with self._client.stream("GET", self._url + path, params=parameters) as answer:
            if answer.status_code != 200:
                raise FeedError(f"{path}: status {answer.status_code}")
            octets = bytearray()
            async for part in answer.aiter_bytes():
                octets += part
                if len(octets) > PAGE_OCTETS_MAX:
                    raise FeedError(f"{path}: over {PAGE_OCTETS_MAX} octets")
        return bytes(octets)

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> None:
        assert self._client is not None
        answer = await self._client.request(
            method,
            self._url + path,
            content=json.dumps(body),
            headers={"content-type": "application/json"},
            timeout=GRACE_S,
        )
        if answer.status_code >= 300:
            raise FeedError(f"{path}: status {answer.status_code}")


def apply_page(identities: IdentityMap, page: FeedPage, now_s: float) -> None:
    """Apply a page to a map in place: one step of the event loop."""
    identities.set_range(page.range_domain, page.range_prefix)
    for binding, version in page.deletions:
        identities.delete(binding, version)
    for change in page.changes:
        identities.apply(change)
    identities.version = page.version
    if page.complete:
        identities.refreshed(now_s)


def _failures() -> tuple[type[Exception], ...]:
    """Return what a request may raise; httpx2 is loaded by the time it is asked."""
    httpx = importlib.import_module("httpx2")
    return (httpx.HTTPError, httpx.InvalidURL, TimeoutError, FeedError)


def feed_context(config: Config, table: FeedTable) -> ssl.SSLContext:
    """Return the context to ask the MMS with.

    Raises:
        FeedError: the CA file or our certificate cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=str(table.ca) if table.ca else None)
        if config.tls is not None:
            load_own_certificate(context, config.tls.certificate, config.tls.private_key)
    except (OSError, CertificateUnusable) as exc:  # ssl.SSLError is an OSError
        raise FeedError(f"feed: {exc}") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    return context
