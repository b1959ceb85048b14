"""The clients of CSC-17, one for each agreement in force; an agreement that changes gets a new one."""

import asyncio
from collections.abc import Iterator, Mapping

import structlog

from mmserver.configuration.catalogue import Catalogue
from mmserver.configuration.partner_client import PartnerClient
from mmserver.configuration.peer import Peer
from mmserver.configuration.terms import Partner
from mmserver.http.tls import Credentials, client_context

log = structlog.get_logger()


class PartnerClients(Mapping[str, PartnerClient]):
    """Clients by the partner's name."""

    def __init__(self, us: Credentials) -> None:
        self._us = us
        self._clients: dict[str, PartnerClient] = {}
        self._peers: dict[str, tuple[tuple[str, str, float], Peer]] = {}
        self._closing: dict[asyncio.Task[None], Peer] = {}

    def update(self, catalogue: Catalogue, us: Credentials | None = None) -> None:
        """Serve these partners from now on, as ``us`` where that is new; what is under way ends over its old client.

        Raises:
            TlsError: a CA cannot be used; nothing has changed.
        """
        ours, is_new = us or self._us, us is not None
        peers: dict[str, tuple[tuple[str, str, float], Peer]] = {}
        for name, partner in catalogue.partners.items():
            key = _key(partner)
            known = self._peers.get(name)
            if known is not None and known[0] == key and not is_new:
                peers[name] = known
            else:
                peers[name] = key, Peer(partner.cms, client_context(partner.ca, ours), partner.timeout_s)
        over = [(key, peer) for name, (key, peer) in self._peers.items() if peers.get(name, ((), None))[1] is not peer]
        self._clients = {
            name: self._clients[name] if self._peers.get(name) == one else PartnerClient(name, one[1])
            for name, one in peers.items()
        }
        self._peers, self._us = peers, ours
        for key, peer in over:
            task = asyncio.get_running_loop().create_task(_close_later(peer, key[2]))
            self._closing[task] = peer
            task.add_done_callback(self._closed)

    async def close(self) -> None:
        """Close all connections, old ones too; one that cannot be closed keeps no other open."""
        closing, self._closing = self._closing, {}
        for task in closing:
            task.cancel()
        await asyncio.gather(*closing, return_exceptions=True)  # a task that never began has closed nothing
        for peer in (*closing.values(), *(peer for _, peer in self._peers.values())):
            await _close(peer)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.pop(task, None)

    def __getitem__(self, name: str) -> PartnerClient:
        """Return the client of that partner."""
        return self._clients[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the partners' names."""
        return iter(self._clients)

    def __len__(self) -> int:
        """Return how many partners there are."""
        return len(self._clients)


def _key(partner: Partner) -> tuple[str, str, float]:
    return partner.cms, partner.ca, partner.timeout_s


async def _close_later(peer: Peer, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await _close(peer)


async def _close(peer: Peer) -> None:
    try:
        await peer.close()
    except (OSError, RuntimeError) as exc:  # TLS that the other end cut off, a transport that is gone
        log.warning("partner.not-closed", why=f"{type(exc).__name__}: {exc}")
