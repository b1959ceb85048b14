"""An HSS that answers MARs as fast as Python can, to be started and killed by ``soak``; one process, one connection."""

import asyncio
import sys
from typing import Final

from diameter_proxy.diameter.wire import apart
from diameter_proxy.node.config import ListenerConfig, NodeConfig, PeerConfig
from diameter_proxy.node.node import Node
from tests.bench.cx_templates import HSS_REALM, NUMBER, PRIMARY, maa

REQUEST: Final = 0x80
_USER: Final = b"mig-"


class Answers:
    """Answers with the identities that were asked for: the template, with the user's number and the request's ids."""

    def __init__(self) -> None:
        template = maa(PRIMARY)
        session = 20 + (int.from_bytes(template[25:28], "big") + 3) // 4 * 4
        self._pieces: Final = template[session:].split(NUMBER.encode())
        self._head: Final = template[:1] + bytes(3) + template[4:12]

    def to(self, request: bytes) -> bytes:
        """Return the MAA to a MAR."""
        start = request.index(_USER) + len(_USER)
        session = request[20 : 20 + (int.from_bytes(request[25:28], "big") + 3) // 4 * 4]
        octets = self._head + request[12:20] + session + request[start : start + len(NUMBER)].join(self._pieces)
        return octets[:1] + len(octets).to_bytes(3, "big") + octets[4:]


async def serve(host: str, port: int, peer: str) -> None:
    """Answer ``peer`` until the process is killed."""
    answers = Answers()

    def on_messages(name: str, runs: list[bytes]) -> list[bytes]:
        given = [answers.to(message) for message in apart(runs) if message[4] & REQUEST]
        node.send_all(name, b"".join(given), len(given))
        return []

    config = NodeConfig(host, HSS_REALM, (ListenerConfig("127.0.0.1", port),), (PeerConfig(peer, HSS_REALM),))
    node = Node(config, lambda name, octets: None, lambda event: None, on_messages=on_messages)
    await node.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
