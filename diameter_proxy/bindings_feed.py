"""Follows the MMS's feed of binding changes, looks identities up on a miss, and reports what the MMS must know.

Everything is read once in large pages, then changes come by long poll.  Both are applied to the identity map between
two reads, at most 1,000 a step; each version is acknowledged, so that a withdrawal is confirmed per proxy.  After
``reset`` a new map is built aside and swapped in.  An MMS that is away is exchanged for the next one of the list; all
of them being away only ages the map.
"""

import asyncio
import gc
import hashlib
import random
import ssl
import time
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import structlog

from diameter_proxy.config import Config, FeedTable
from diameter_proxy.feed_page import FeedError, FeedPage, FeedRows, parse_entry, parse_page, parse_rows, read_rows
from diameter_proxy.feed_status import FeedStatus
from diameter_proxy.identity_map import IdentityMap
from diameter_proxy.lent_range_file import LentRange, LentRangeFile
from diameter_proxy.mms_client import MmsClient
from diameter_proxy.node.certificate import CertificateUnusable, load_own_certificate
from diameter_proxy.proxy import Proxy
from diameter_proxy.reading import read_regular
from diameter_proxy.use_reports import UseReports

PAGE_ENTRIES_MAX: Final = 1000
ROWS_MAX: Final = 5000
STEP_CHANGES_MAX: Final = 1000
FROZEN_FROM: Final = 50_000
"""From so many bindings on the garbage collector leaves the map alone: a walk through a million takes a second."""
RETRY_S: Final = 0.1
GRACE_S: Final = 3.0
REPORTS_MAX: Final = 100
REPORT_TRIES: Final = 5

_random = random.SystemRandom()


class FeedFiles(NamedTuple):
    """What the certificate files of a feed hold.

    Attributes:
        basis: all that a feed rests on: when it is another after a reload, so must the feed be.
        context: what to ask the MMS with.
    """

    basis: tuple[object, ...]
    context: ssl.SSLContext


class BindingsFeed:
    """The proxy's client of the MMS."""

    def __init__(self, config: Config, files: FeedFiles, proxy: Proxy) -> None:
        assert config.feed is not None
        self._table: Final[FeedTable] = config.feed
        self._config: Final = config
        self.basis: Final = files.basis
        self._proxy: Final = proxy
        self._wait_s: Final = min(self._table.wait_s, config.limits.max_map_age_s / 3)
        self._name: Final = config.node.origin_host
        self._client: Final = MmsClient(
            [f"{str(url).rstrip('/')}/feed/v1" for url in (self._table.url, *self._table.alternates)],
            files.context,
            self._wait_s + GRACE_S,
        )
        self.status: Final = FeedStatus(self._client.urls)
        self.uses: Final = UseReports(self._name, self._client.send, time.monotonic)
        self._log: Final = structlog.get_logger()
        self._tasks: Final[set[asyncio.Task[None]]] = set()
        self._untold: Final[list[tuple[bytes, tuple[bytes, ...]]]] = []
        """De-registrations at home that the MMS has not taken yet."""
        self._is_ready: Final = asyncio.Event()
        self._is_loaded: Final = asyncio.Event()
        self._fresh: IdentityMap | None = None
        self._next_rows: tuple[int, asyncio.Future[bytes] | None] = (-1, None)
        self._retry_s = RETRY_S
        self._range_file: Final = LentRangeFile(self._table.state) if self._table.state is not None else None
        self._begin_with_known_range()

    def start(self) -> None:
        """Begin to follow."""
        self._spawn(self._run())
        self._spawn(self._report_uses())

    def take_over(self, other: "BindingsFeed") -> None:
        """Go on for a feed that has been stopped; before ``start``.

        What it has told and learnt stays.  With an MMS that has none of its addresses everything is read anew, aside:
        a version of one database says nothing about another.
        """
        self.uses.take_over(other.uses)
        if not set(self._client.urls) & set(other._client.urls) and self._proxy.identities.age_s(0) is not None:
            self._fresh = IdentityMap()
        for identity in self._proxy.look_ups.waiting:
            self.look_up(identity)
        for impi, impus in other._untold:
            self.report_home_deregistration(impi, impus)

    async def wait_until_loaded(self, within_s: float) -> bool:
        """Wait until the map is whole for the first time, or the time is over; say which."""
        try:
            await asyncio.wait_for(self._is_loaded.wait(), within_s)
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """Stop following; look-ups and reports under way are dropped."""
        _, ahead = self._next_rows
        tasks: list[asyncio.Future[Any]] = [*self._tasks, *([] if ahead is None else [ahead])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        gc.enable()
        await self._client.close()

    def look_up(self, identity: bytes) -> None:
        """Ask the MMS for one identity; the proxy hears the outcome within the look-up budget."""
        self._spawn(self._look_up(identity))

    def report_home_deregistration(self, impi: bytes, impus: tuple[bytes, ...]) -> None:
        """Tell the MMS that the HSS has de-registered a user who may have migrated."""
        if len(self._tasks) < REPORTS_MAX:
            self._untold.append((impi, impus))
            self._spawn(self._report(impi, impus))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _begin_with_known_range(self) -> None:
        """Know our lent identities from natives before the first page: they wait (3002), nobody's HSS is asked."""
        if self._proxy.identities.age_s(0) is not None:
            return  # an MMS has told
        known = self._range_file.read() if self._range_file is not None else None
        if known is None and self._table.lent_prefix:
            known = LentRange(self._table.lent_domain or self._config.node.origin_realm, self._table.lent_prefix)
        if known is not None:
            self._proxy.identities.set_range(*known)

    # --- following -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        await asyncio.to_thread(self._client.open)
        self._is_ready.set()
        while True:
            try:
                if self._is_reading_all:
                    await self._read_all()
                else:
                    await self._poll()
                await self._acknowledge()
            except FeedError as exc:
                gc.enable()
                await self._go_on_after(str(exc))
                continue
            self._retry_s = RETRY_S
            was_failing = self.status.is_failing
            self.status.succeeded()
            if was_failing:
                self._log.info("feed.resumed", mms=self._client.followed, version=self._proxy.identities.version)

    @property
    def _is_reading_all(self) -> bool:
        return self._fresh is not None or self._proxy.identities.age_s(0) is None

    async def _read_all(self) -> None:
        """Read one large page; the garbage collector rests meanwhile, for it would walk through all that is there."""
        gc.disable()
        reading = self._fresh if self._fresh is not None else self._proxy.identities
        page = parse_rows(await self._rows_after(reading.version, reading.began))
        if not page.complete:  # the MMS makes the next page while this one is applied
            self._next_rows = page.version, asyncio.ensure_future(self._get_rows(page.version, page.began))
        if page.reset:
            self._fresh = reading = self._begun_anew(reading.version)
        await apply_rows(reading, page)
        await self._keep_range(page.range_domain, page.range_prefix)
        if not page.complete:
            return
        if self._fresh is not None:
            old = self._proxy.identities.replace_by(self._fresh)
            self._fresh = None
            self._spawn(_let_go(old))
        gc.enable()
        if len(self._proxy.identities.bindings) >= FROZEN_FROM:
            gc.freeze()
        self._is_loaded.set()
        self._log.info("feed.loaded", mms=self._client.followed, **self._proxy.identities.counts())

    async def _rows_after(self, version: int, began: int) -> bytes:
        """Return the page after a version: the one that was asked for ahead, if it is that."""
        (ahead, page), self._next_rows = self._next_rows, (-1, None)
        if page is not None and ahead == version:
            return await page
        if page is not None:
            page.cancel()
            await asyncio.gather(page, return_exceptions=True)
        return await self._get_rows(version, began)

    async def _get_rows(self, version: int, began: int) -> bytes:
        return await self._client.get("/rows", {"after": str(version), "began": str(began), "limit": str(ROWS_MAX)})

    async def _poll(self) -> None:
        reading = self._proxy.identities
        parameters = {
            "after": str(reading.version),
            "began": str(reading.began),
            "wait_s": "0" if self.status.is_failing else f"{self._wait_s:g}",
            "limit": str(PAGE_ENTRIES_MAX),
        }
        page = parse_page(await self._client.get("/changes", parameters))
        if page.reset:
            self._fresh = self._begun_anew(reading.version)
            return
        apply_page(reading, page, time.monotonic())
        await self._keep_range(page.range_domain, page.range_prefix)

    def _begun_anew(self, version: int) -> IdentityMap:
        self._log.warning("feed.reset", mms=self._client.followed, version=version)
        return IdentityMap()

    async def _keep_range(self, domain: str, prefix: str) -> None:
        if self._range_file is not None:
            await asyncio.to_thread(self._range_file.write, LentRange(domain, prefix))

    async def _acknowledge(self) -> None:
        version = self._proxy.identities.version
        if self._is_reading_all or version == self.status.acknowledged:
            return
        await self._client.send("PUT", "/acknowledgement", {"proxy": self._name, "version": version})
        self.status.acknowledged = version

    async def _go_on_after(self, reason: str) -> None:
        """Go to the next MMS at once; when all have had their turn, wait a little, longer each time."""
        if not self.status.is_failing:
            self._log.warning("feed.interrupted", mms=self._client.followed, reason=reason)
        self.status.failed()
        is_round_over = self._client.follow_next()
        self.status.switched(self._client.followed)
        if is_round_over:
            await asyncio.sleep(self._retry_s * _random.uniform(0.5, 1.0))
            self._retry_s = min(self._retry_s * 2, self._table.retry_max_s)

    # --- look-ups and reports --------------------------------------------------------------------------------

    async def _look_up(self, identity: bytes) -> None:
        try:
            async with asyncio.timeout(self._config.budgets.look_up_s):
                await self._is_ready.wait()
                path = quote(identity.decode(errors="replace"), safe="")
                status, body = await self._client.ask(f"/identities/{path}")
            if status not in (200, 404, 422):
                raise FeedError(f"status {status}")
            entry = parse_entry(body) if status == 200 else None
        except (FeedError, TimeoutError) as exc:
            self._proxy.look_up_failed(identity, f"{type(exc).__name__}: {exc}")
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
                await self._client.send("POST", "/events", body)
            except FeedError as exc:
                self._log.warning("event.refused", reason=str(exc), attempt=attempt + 1)
                await asyncio.sleep(RETRY_S * 2**attempt)
            else:
                self._untold.remove((impi, impus))
                return
        self._untold.remove((impi, impus))
        self._log.error("event.lost", event_type=body["event"])

    async def _report_uses(self) -> None:
        await self._is_ready.wait()
        await self.uses.run()


def apply_page(identities: IdentityMap, page: FeedPage, now_s: float) -> None:
    """Apply a page to a map in place: one step of the event loop."""
    identities.set_range(page.range_domain, page.range_prefix)
    for binding, version in page.deletions:
        identities.delete(binding, version)
    for change in page.changes:
        identities.apply(change)
    identities.version, identities.began = page.version, page.began
    if page.complete:
        identities.refreshed(now_s)


async def apply_rows(identities: IdentityMap, page: FeedRows) -> None:
    """Apply a large page to a map, at most 1,000 rows between two reads.

    Raises:
        FeedError: a row cannot be read; those before it are in the map, its version is not taken over.
    """
    identities.set_range(page.range_domain, page.range_prefix)
    for start in range(0, len(page.rows), STEP_CHANGES_MAX):
        changes, deletions = read_rows(page.rows[start : start + STEP_CHANGES_MAX])
        for binding, version in deletions:
            identities.delete(binding, version)
        for change in changes:
            identities.apply(change)
        await asyncio.sleep(0)
    identities.version, identities.began = page.version, page.began
    if page.complete:
        identities.refreshed(time.monotonic())


async def _let_go(tables: list[dict[Any, Any]]) -> None:
    """Free the tables of a map that was exchanged, a little between two reads: at once it takes half a second."""
    for table in tables:
        while table:
            for _ in range(min(STEP_CHANGES_MAX, len(table))):
                table.popitem()
            await asyncio.sleep(0)


def forget(proxy: Proxy, reason: str) -> Coroutine[Any, Any, None]:
    """Empty the map at once, for there is no feed any more; return what frees its memory little by little."""
    for identity in proxy.look_ups.waiting:
        proxy.look_up_failed(identity, reason)
    return _let_go(proxy.identities.replace_by(IdentityMap()))


def read_feed_files(config: Config) -> FeedFiles | None:
    """Return what a feed is made with, where the file has one.

    Raises:
        FeedError: a certificate file cannot be read or used.
    """
    return None if config.feed is None else FeedFiles(_basis_of(config), feed_context(config, config.feed))


def _basis_of(config: Config) -> tuple[object, ...]:
    files = [] if config.feed is None or config.feed.ca is None else [config.feed.ca]
    files += [] if config.tls is None else [config.tls.certificate, config.tls.private_key]
    try:
        digests = tuple(hashlib.sha256(read_regular(file)).digest() for file in files)
    except OSError as exc:
        raise FeedError(f"feed: {exc}") from exc
    return config.feed, config.limits.max_map_age_s, config.budgets.look_up_s, digests


def feed_context(config: Config, table: FeedTable) -> ssl.SSLContext:
    """Return the context to ask the MMS with.

    Raises:
        FeedError: the CA file or our certificate cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=str(table.ca) if table.ca else None)
    except ssl.SSLError as exc:
        raise FeedError(f"feed.ca: {table.ca} holds no certificate in PEM, or a broken one") from exc
    except OSError as exc:
        raise FeedError(f"feed.ca: {table.ca}: {exc.strerror or exc}") from exc
    try:
        if config.tls is not None:
            load_own_certificate(context, config.tls.certificate, config.tls.private_key)
    except CertificateUnusable as exc:
        raise FeedError(f"feed: {exc}") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.hostname_checks_common_name = False
    return context
