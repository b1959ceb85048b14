"""Addresses that cannot be listened on."""

import pytest

from diameter_proxy.node.config import ListenerConfig
from diameter_proxy.node.connection import Connection
from diameter_proxy.node.limited_log import LimitedLog
from diameter_proxy.node.listener import Listener, ListenFailed


def no_connection() -> Connection:
    raise AssertionError("nobody connects")


async def test_address_of_another_machine_is_refused_in_a_sentence() -> None:
    with pytest.raises(ListenFailed, match=r"^192\.0\.2\.1:3868: "):
        Listener(
            ListenerConfig("192.0.2.1"),
            no_connection,
            None,
            LimitedLog(lambda: 0.0, 10),
            handshake_s=1,
            handshakes_max=1,
        )
