"""Where people and Prometheus ask: metrics and admin socket, opened at the start, exchanged at a reload.

Both are loaded only where the file has them.  Whoever is asking over the old admin socket gets the answer there.
"""

import errno
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from diameter_proxy.awake import Wakefulness
from diameter_proxy.config import AdminTable, Config, MetricsTable
from diameter_proxy.feed_status import FeedStatus
from diameter_proxy.node.errors import ReloadRefused
from diameter_proxy.node.listener import ListenFailed
from diameter_proxy.node.node import Node
from diameter_proxy.proxy import Proxy

if TYPE_CHECKING:
    from diameter_proxy.metrics import MetricsListener


SOCKET_MENDS: Final = {
    errno.EADDRINUSE: "end the process that listens there, or name another path",
    errno.ENOENT: "make its folder, or name another path",
    errno.EACCES: "let our user write in its folder, or name another path",
}


class Door(Protocol):
    """Something that listens."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class SideDoors:
    """The doors that are open, each with the table of the file that it was made from."""

    def __init__(
        self,
        proxy: Proxy,
        node: Node,
        feed_status: Callable[[], FeedStatus | None],
        reload: Callable[[], Awaitable[None]],
        wakefulness: Wakefulness,
    ) -> None:
        self._proxy: Final = proxy
        self._node: Final = node
        self._feed_status: Final = feed_status
        self._reload: Final = reload
        self._wakefulness: Final = wakefulness
        self._metrics: tuple[MetricsTable | None, MetricsListener | None] = (None, None)
        self._admin: tuple[AdminTable | None, Door | None] = (None, None)

    @property
    def metrics_port(self) -> int | None:
        """The port of the metrics, where there are any."""
        _, listener = self._metrics
        return None if listener is None else listener.port

    async def change(self, config: Config) -> None:
        """Open what the file has, and close what it has no more; what it has not changed stays as it is.

        Raises:
            ReloadRefused: an address cannot be had; that door stays as it was, another may have changed already.
        """
        table, listener = self._metrics
        if config.metrics != table:
            made = None if config.metrics is None else self._new_metrics(config.metrics)
            # 0.0.0.0 cannot be bound while 127.0.0.1 is, with one port
            same_port = listener is not None and made is not None and made.wanted_port == listener.port
            await _exchange(listener, made, closes_first=same_port)
            self._metrics = config.metrics, made
        admin, door = self._admin
        if config.admin != admin:
            opened = None if config.admin is None else self._new_admin(config.admin)
            try:
                await _exchange(door, opened, closes_first=False)
            except OSError as exc:
                raise ReloadRefused(_why_no_socket(config.admin, exc)) from exc
            self._admin = config.admin, opened

    async def close(self) -> None:
        """Close all of them."""
        for door in (self._metrics[1], self._admin[1]):
            if door is not None:
                await door.stop()
        self._metrics, self._admin = (None, None), (None, None)

    def _new_metrics(self, table: MetricsTable) -> "MetricsListener":
        from diameter_proxy.metrics import MetricsListener, ProxyCollector

        collector = ProxyCollector(self._proxy, self._node, self._feed_status, self._wakefulness)
        return MetricsListener(collector, *table.address_and_port)

    def _new_admin(self, table: AdminTable) -> Door:
        from diameter_proxy.admin import AdminSocket

        return AdminSocket(table.socket, self._proxy, self._node, self._feed_status, self._reload)


async def _exchange(old: Door | None, new: Door | None, *, closes_first: bool) -> None:
    if old is not None and closes_first:
        await old.stop()
    if new is not None:
        try:
            await new.start()
        except Exception as exc:  # a port that is no port is an OverflowError
            if old is not None and closes_first:
                await old.start()
            if isinstance(exc, OSError):  # whoever knows the setting says the mend
                raise
            raise ReloadRefused(_reason(exc)) from exc
    if old is not None and not closes_first:
        await old.stop()


def _why_no_socket(table: AdminTable | None, exc: OSError) -> str:
    """Return one line: the setting, the path, what the kernel said, and the mend."""
    path = "" if table is None else table.socket
    mend = SOCKET_MENDS.get(exc.errno or 0, "name another path")
    return f"admin.socket: {path}: {exc.strerror or exc}: {mend}"


def _reason(exc: Exception) -> str:
    return str(exc) if isinstance(exc, ListenFailed) else f"{type(exc).__name__}: {exc}"
