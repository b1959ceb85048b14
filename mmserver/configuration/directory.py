"""The catalogue in force, and how it changes: the admin API, another instance over the same store, a reload.

Every change makes a whole catalogue first and swaps it then; what cannot be put in force leaves the old one and is one
log line.  Tables of ``_NEED_RESTART`` wait for a restart, but for the settings of ``_AT_ONCE``.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, Protocol

import structlog

from mmserver.configuration.catalogue import Catalogue, Entry, Item, Kind, Listed, Source, make_catalogue, name_of
from mmserver.configuration.config import CmsConfig
from mmserver.configuration.errors import (
    EntryInFile,
    EntryNotFound,
    EntryNotUsable,
    NoStore,
    ReloadRefused,
    StoreUnavailable,
)
from mmserver.http.settings import ConfigError, changed_settings
from mmserver.http.tls import TlsError

ENTRIES_MAX: Final = 200_000
UNKNOWN: Final = -1
"""The version of a store that has not been read, or was away."""
_NEED_RESTART: Final = ("system", "http", "mms", "idms", "store", "admin", "metrics", "limits")
_AT_ONCE: Final = frozenset({"system.mc_service_id_domains", "mms.ca", "idms.ca", "admin.ca"})
_ORDER: Final = (Kind.GROUP, Kind.USER, Kind.AGREEMENT)

log = structlog.get_logger()


class EntryStore(Protocol):
    """Where entries of the API live."""

    async def version(self) -> int:
        """Return the version of the entries."""

    async def entries(self) -> tuple[int, list[Entry]]:
        """Return all entries and their version."""

    async def put(self, entry: Entry) -> int:
        """Insert or replace one; return the new version."""

    async def remove(self, entry: Entry) -> bool:
        """Delete one."""


class Directory:
    """Holds the catalogue in force."""

    def __init__(
        self,
        config: CmsConfig,
        *,
        store: EntryStore | None = None,
        load: Callable[[], CmsConfig] | None = None,
        clock: Callable[[], float] = lambda: 0.0,
        on_change: Callable[[CmsConfig, Catalogue], None] = lambda *_: None,
    ) -> None:
        """Begin with the file alone; ``start`` adds the entries of the store.

        Raises:
            ConfigError: the file contradicts itself.
        """
        self._config = self._started = config
        self._store = store
        self._load = load or (lambda: config)
        self._clock = clock
        self._on_change = on_change
        self._entries: dict[tuple[Kind, str], Entry] = {}
        self._version = UNKNOWN
        self._one_change = asyncio.Lock()
        self._current = make_catalogue(config)

    @property
    def config(self) -> CmsConfig:
        """The configuration file in force."""
        return self._config

    @property
    def current(self) -> Catalogue:
        """The catalogue in force."""
        return self._current

    async def start(self) -> None:
        """Add what the store holds; an entry that cannot be put in force is put aside, with a log line.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        await self.refresh()
        self._on_change(self._config, self._current)

    async def refresh(self) -> None:
        """Take over what other instances have changed.

        Raises:
            StoreUnavailable: not now; what was in force stays.
        """
        if self._store is None or await self._store.version() == self._version:
            return
        async with self._one_change:
            version, found = await self._store.entries()
            self._take(version, found)

    async def reload(self, actor: str) -> Catalogue:
        """Read the configuration file again, and the files that it names.

        Raises:
            ReloadRefused: it cannot be used; the old one stays in force.
        """
        async with self._one_change:
            try:
                config = await asyncio.to_thread(self._load)
                catalogue = make_catalogue(config, self._entries.values())
                self._swap(catalogue, config)
            except (ConfigError, TlsError) as exc:
                log.error("reload.refused", by=actor, why=str(exc), consequence="the old configuration stays in force")
                raise ReloadRefused(str(exc)) from exc
            later = changed_settings(self._started, config, _NEED_RESTART, but=_AT_ONCE)
            self._config = config
        users, agreements = len(catalogue.users), len(catalogue.partners)
        log.info("reload.done", by=actor, users=users, agreements=agreements, need_restart=later)
        return catalogue

    async def set(self, item: Item, kind: Kind, actor: str) -> None:
        """Put an entry in force and keep it.

        Raises:
            NoStore, EntryInFile, EntryNotUsable, StoreUnavailable: nothing has changed.
        """
        entry = Entry(kind, name_of(item), _document(item), at=self._clock(), actor=actor)
        async with self._one_change:
            store = self._writable(kind, entry.name)
            entries = self._with(entry)
            catalogue = self._made(entries.values())
            await store.put(entry)
            self._entries = entries
            self._swap(catalogue)
        log.info("entry.set", kind=kind.value, name=entry.name, actor=actor)

    def require_usable(self, item: Item, kind: Kind) -> None:
        """Find out whether ``set`` would take this now.

        Raises:
            NoStore, EntryInFile, EntryNotUsable: it would not.
        """
        entry = Entry(kind, name_of(item), _document(item))
        self._writable(kind, entry.name)
        self._made(self._with(entry).values())

    async def remove(self, kind: Kind, name: str, actor: str) -> None:
        """Take an entry of the API away.

        Raises:
            NoStore, EntryInFile, EntryNotFound, EntryNotUsable, StoreUnavailable: nothing has changed.
        """
        async with self._one_change:
            store = self._writable(kind, name)
            entry = self._entries.get((kind, name))
            if entry is None:
                raise EntryNotFound(f"there is no {kind} of that name")
            entries = {key: one for key, one in self._entries.items() if key != (kind, name)}
            catalogue = self._made(entries.values())
            await store.remove(Entry(kind, name, entry.document, at=self._clock(), actor=actor))
            self._entries = entries
            self._swap(catalogue)
        log.info("entry.removed", kind=kind.value, name=name, actor=actor)

    def get(self, kind: Kind, name: str) -> Listed:
        """Return an entry of file or API, the file's if both have it.

        Raises:
            EntryNotFound: neither has it.
        """
        for one in self._current.listed[kind]:
            if name_of(one.item) == name:
                return one
        raise EntryNotFound(f"there is no {kind} of that name")

    async def watch(self, interval_s: float) -> None:
        """Take over what other instances change, until cancelled."""
        reachable = True
        while True:
            await asyncio.sleep(interval_s)
            try:
                await self.refresh()
            except StoreUnavailable as exc:
                if reachable:
                    log.error("store.unavailable", reason=exc.detail)
                # What comes back may be a stand-by that never saw the newest changes, and has since had as many others.
                reachable, self._version = False, UNKNOWN
                continue
            if not reachable:
                log.info("store.available")
            reachable = True

    def _take(self, version: int, found: Iterable[Entry]) -> None:
        entries = {(entry.kind, entry.name): entry for entry in found}
        try:
            catalogue = make_catalogue(self._config, entries.values())
        except ConfigError:
            entries = self._usable(entries)
            catalogue = make_catalogue(self._config, entries.values())
        self._entries, self._version = entries, version
        self._swap(catalogue)

    def _usable(self, entries: dict[tuple[Kind, str], Entry]) -> dict[tuple[Kind, str], Entry]:
        """Return the entries that can stand side by side: groups first, for agreements name them."""
        usable: dict[tuple[Kind, str], Entry] = {}
        for key, entry in sorted(entries.items(), key=lambda one: (_ORDER.index(one[0][0]), one[0][1])):
            try:
                make_catalogue(self._config, [*usable.values(), entry])
            except ConfigError as exc:
                log.error("entry.put-aside", kind=entry.kind.value, name=entry.name, why=str(exc))
                continue
            usable[key] = entry
        return usable

    def _swap(self, catalogue: Catalogue, config: CmsConfig | None = None) -> None:
        self._on_change(config or self._config, catalogue)  # may refuse, so it comes first
        self._current = catalogue

    def _made(self, entries: Iterable[Entry]) -> Catalogue:
        try:
            return make_catalogue(self._config, entries)
        except ConfigError as exc:
            raise EntryNotUsable(str(exc)) from exc

    def _with(self, entry: Entry) -> dict[tuple[Kind, str], Entry]:
        """Return all entries with this one.

        Raises:
            EntryNotUsable: there are too many.
        """
        key = (entry.kind, entry.name)
        if len(self._entries) >= ENTRIES_MAX and key not in self._entries:
            raise EntryNotUsable(f"there are {ENTRIES_MAX} entries already")
        return {**self._entries, key: entry}

    def _writable(self, kind: Kind, name: str) -> EntryStore:
        if self._store is None:
            raise NoStore("set [store] in the configuration file to keep data that comes over the API")
        if any(name_of(one.item) == name and one.source is Source.FILE for one in self._current.listed[kind]):
            raise EntryInFile(f"the {kind} {name} belongs to the configuration file: change it there and reload")
        return self._store


def _document(item: Item) -> str:
    """Return an entry as JSON text.

    Raises:
        EntryNotUsable: a text in it is none that UTF-8 can hold (half a surrogate pair).
    """
    try:
        return item.model_dump_json(exclude_unset=True)
    except ValueError as exc:
        raise EntryNotUsable("a text in it cannot be written down") from exc
