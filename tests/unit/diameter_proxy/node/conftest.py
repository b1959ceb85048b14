"""A transport that remembers what was asked of it, in place of a socket."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, CX
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.transactions import EndToEnd
from diameter_proxy.diameter.wire import FrameBuffer, encode_message
from diameter_proxy.node.base_protocol import BaseProtocol
from diameter_proxy.node.config import NodeConfig
from diameter_proxy.node.connection import Connection, Output
from diameter_proxy.node.sender import Sender


class RecordingTransport(asyncio.Transport):
    """Asyncio's side of a connection."""

    def __init__(self) -> None:
        super().__init__({"peername": ("10.77.1.12", 4000), "sockname": ("10.77.1.14", 3868)})
        self.written: list[bytes] = []
        self.said: list[str] = []

    def write(self, data: Any) -> None:
        self.written.append(bytes(data))

    def messages(self) -> list[Message]:
        """Return what was written, as messages."""
        return [Message.decode(octets) for octets in FrameBuffer().receive_data(b"".join(self.written))]

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.said.append(f"limit {high}")

    def pause_reading(self) -> None:
        self.said.append("pause")

    def resume_reading(self) -> None:
        self.said.append("resume")

    def close(self) -> None:
        self.said.append("close")

    def abort(self) -> None:
        self.said.append("abort")


Connected = Callable[[Any], tuple[Connection, RecordingTransport]]


@pytest.fixture
def connected() -> Connected:
    """Return a maker of connections of a given owner, on a transport that remembers."""

    def make(owner: Any) -> tuple[Connection, RecordingTransport]:
        connection = Connection(
            owner,
            Output(asyncio.get_running_loop()),
            hop_by_hop=0,
            limit_octets=1 << 16,
            max_unsent_octets=1000,
        )
        transport = RecordingTransport()
        connection.connection_made(transport)
        return connection, transport

    return make


@pytest.fixture
def config() -> NodeConfig:
    return NodeConfig("proxy1.mc1.lab", "ims.mc1.lab")


@pytest.fixture
def sender(config: NodeConfig) -> Sender:
    return Sender(BaseProtocol(config, origin_state_id=1), EndToEnd(0, 0))


@pytest.fixture
def cer() -> Callable[..., bytes]:
    """Return a maker of acceptable CERs."""

    def make(host: str, realm: str = "ims.mc1.lab", flags: int = 0x80) -> bytes:
        application = d.VENDOR_ID.encode(10415) + d.AUTH_APPLICATION_ID.encode(CX)
        avps = [d.ORIGIN_HOST.encode(host), d.ORIGIN_REALM.encode(realm), d.VENDOR_ID.encode(0)]
        avps += [d.PRODUCT_NAME.encode("test"), d.VENDOR_SPECIFIC_APPLICATION_ID.encode(application)]
        return encode_message(flags, CER.code, CER.application_id, 3, 4, avps)

    return make
