"""What waits on a transport fails with it."""

import asyncio
from typing import Any

import pytest

from diameter_proxy.node.errors import PeerLost
from diameter_proxy.node.transports import Transports


class Owner:
    """Hears that there is a connection."""

    def connection_made(self, connection: object) -> None:
        """Do nothing."""


async def test_clean_up_closes_both_and_fails_what_waits(connected: Any) -> None:
    transports = Transports("hss.mc1.lab")
    transports.initiator, transports.responder = (connected(Owner())[0] for _ in range(2))
    assert transports.initiator is not None
    waiting = asyncio.get_running_loop().create_future()
    transports.initiator.pending.add(1, waiting, 10.0)
    attempt = transports.connecting = asyncio.create_task(asyncio.Event().wait())  # type: ignore[assignment] # waits
    closed = (transports.initiator, transports.responder)
    transports.clean_up("no answer to watchdogs")
    assert all(connection.is_closed for connection in closed)
    assert (transports.initiator, transports.responder, transports.connecting) == (None, None, None)
    with pytest.raises(PeerLost, match="no answer to watchdogs"):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await attempt
