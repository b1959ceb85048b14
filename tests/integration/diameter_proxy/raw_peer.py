"""A peer of octets: it says what a test tells it, well-formed or not, and reads whole messages."""

import asyncio
import contextlib
import struct
from ipaddress import ip_address

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CER, CX, LIR, TGPP
from diameter_proxy.diameter.message import Message, encode_request

REALM, PROXY, HSS, RAW = "ims.mc1.lab", "proxy1.mc1.lab", "hss.mc1.lab", "icscf.mc1.lab"
IMPU = "sip:alice@ims.mc1.lab"
DEADLINE_S = 30.0


class RawPeer:
    """One TCP connection."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._number = 0

    @classmethod
    async def connected(cls, port):
        """Connect, and say nothing."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def opened(cls, port, host=RAW):
        """Connect and exchange capabilities."""
        peer = await cls.connected(port)
        answer = await peer.ask(peer.cer(host))
        assert answer.result() == (0, 2001)
        return peer

    @staticmethod
    def cer(host=RAW, realm=REALM):
        """Return a CER."""
        application = d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)
        return encode_request(
            CER,
            end_to_end=1,
            avps=(
                d.ORIGIN_HOST.encode(host),
                d.ORIGIN_REALM.encode(realm),
                d.HOST_IP_ADDRESS.encode(ip_address("127.0.0.1")),
                d.VENDOR_ID.encode(0),
                d.PRODUCT_NAME.encode("raw"),
                d.VENDOR_SPECIFIC_APPLICATION_ID.encode(application),
            ),
        )

    def lir(self, *more, realm=REALM):
        """Return a good request; ``more`` AVPs may make it another."""
        self._number += 1
        return encode_request(
            LIR,
            hop_by_hop=self._number,
            end_to_end=self._number,
            avps=(
                d.SESSION_ID.encode(f"{RAW};1;{self._number}"),
                d.VENDOR_SPECIFIC_APPLICATION_ID.encode(d.VENDOR_ID.encode(TGPP) + d.AUTH_APPLICATION_ID.encode(CX)),
                d.AUTH_SESSION_STATE.encode(1),
                d.ORIGIN_HOST.encode(RAW),
                d.ORIGIN_REALM.encode(REALM),
                *((d.DESTINATION_REALM.encode(realm),) if realm else ()),
                d.PUBLIC_IDENTITY.encode(IMPU),
                *more,
            ),
        )

    def write(self, octets):
        """Send octets as they are."""
        self._writer.write(octets)

    async def drain(self):
        """Wait until the kernel has taken what was written."""
        await self._writer.drain()

    async def read(self):
        """Return the octets of the next message that is no DWR, or None when the connection was closed."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                try:
                    head = await self._reader.readexactly(4)
                    octets = head + await self._reader.readexactly(int.from_bytes(head[1:], "big") - 4)
                except (asyncio.IncompleteReadError, ConnectionError):
                    return None
                if not (octets[4] & 0x80 and octets[5:8] == (280).to_bytes(3, "big")):
                    return octets

    async def ask(self, octets):
        """Send a request and return the answer."""
        self.write(octets)
        answer = await self.read()
        assert answer is not None, "the connection was closed"
        assert answer[12:20] == octets[12:20]
        return Message.decode(answer)

    async def works(self):
        """Send a good request; it must be answered with success."""
        assert (await self.ask(self.lir())).result() == (0, 2001)

    def close(self):
        """Close the connection."""
        with contextlib.suppress(ConnectionError):
            self._writer.close()

    def reset(self):
        """End it as a crash does: a reset."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER: no good-bye
        self._writer.transport.abort()
