"""RFC 6733 §3, §4.1, §7.1.3, §7.1.5: which bits of a header and of an AVP a node refuses, and which it passes over."""

import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX, DPR, DWR
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.values import DisconnectCause
from tests.integration.nodes_on_loopback import RawPeer, base, cer, hss_config, raw, running

VENDOR, MANDATORY, PROTECTED, RESERVED = 0x80, 0x40, 0x20, 0x1F
STATE = d.ORIGIN_STATE_ID.encode(7)


def of_vendor_0(avp: bytes) -> bytes:
    """The AVP with the V bit and a Vendor-ID of 0, which RFC 6733 §4.1 forbids."""
    length = (int.from_bytes(avp[5:8], "big") + 4).to_bytes(3, "big")
    return avp[:4] + bytes([avp[4] | VENDOR]) + length + bytes(4) + avp[8:]


def flagged(avp: bytes, flags: int) -> bytes:
    return avp[:4] + bytes([flags]) + avp[5:]


def with_bits(message: bytes, bits: int) -> bytes:
    return message[:4] + bytes([message[4] | bits]) + message[5:]


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Callable[[], contextlib.AbstractAsyncContextManager[RawPeer]]]:
    async with running(hss_config()) as node:
        yield lambda: raw(node)


async def asked(peer: RawPeer, octets: bytes) -> Message:
    peer.writer.write(octets)
    answer = await peer.receive()
    assert answer is not None, "the connection was closed"
    return answer


@pytest.mark.parametrize(
    "octets",
    [
        with_bits(base(DWR), 0x0F),
        with_bits(base(DWR), 0x10),
        with_bits(base(DWR), 0x40),
        base(DWR, flagged(STATE, MANDATORY | PROTECTED | RESERVED)),
        base(DWR, flagged(STATE, 0)),
        base(DWR, flagged(d.PRODUCT_NAME.encode("raw"), MANDATORY)),
    ],
    ids=["reserved bits", "T", "P", "P and reserved bits of an AVP", "M clear", "M set where it should not be"],
)
async def test_bits_that_change_nothing_for_us_are_passed_over(octets: bytes) -> None:
    """§3: reserved bits are ignored (never 5013); §4.1: so are an AVP's, and M asks for what we understand anyway.

    freeDiameter 1.2.1 and Erlang/OTP diameter 2.2.7 answer each of these with 2001 too, save that freeDiameter wants
    no P in a DWR.
    """
    async with listening() as connect, connect() as peer:
        cea = await peer.exchange()
        assert cea is not None and cea.result() == (0, 2001)
        assert (await asked(peer, octets)).result() == (0, 2001)


@pytest.mark.parametrize("bits", [0x0F, 0x10, 0x40], ids=["reserved bits", "T", "P"])
async def test_a_cer_with_such_bits_lets_its_peer_in(bits: int) -> None:
    async with listening() as connect, connect() as peer:
        answer = await asked(peer, with_bits(cer(), bits))
        assert (answer.result(), answer.header.flags & ~0x40) == ((0, 2001), 0)


@pytest.mark.parametrize(
    "octets",
    [base(DWR, of_vendor_0(STATE)), base(DPR, of_vendor_0(d.DISCONNECT_CAUSE.encode(DisconnectCause.BUSY)))],
    ids=["DWR", "DPR"],
)
async def test_a_v_bit_that_contradicts_the_definition_is_3009_and_the_connection_goes_on(octets: bytes) -> None:
    """§7.1.3: flag bits inconsistent with the AVP's definition; §7.2: with E; §7.5: the AVP as it came."""
    async with listening() as connect, connect() as peer:
        await peer.exchange()
        answer = await asked(peer, octets)
        assert (answer.result(), answer.header.is_error) == ((0, 3009), True)
        assert answer.get(d.FAILED_AVP) == octets[-16:]
        assert (await asked(peer, base(DWR))).result() == (0, 2001)


INSIDE = d.VENDOR_ID.encode(10415) + of_vendor_0(d.AUTH_APPLICATION_ID.encode(CX))


@pytest.mark.parametrize(
    ("avp", "failed"),
    [
        (of_vendor_0(d.AUTH_APPLICATION_ID.encode(CX)), of_vendor_0(d.AUTH_APPLICATION_ID.encode(CX))),
        (d.VENDOR_SPECIFIC_APPLICATION_ID.encode(INSIDE), of_vendor_0(d.AUTH_APPLICATION_ID.encode(CX))),
    ],
    ids=["in the CER", "in a group of the CER"],
)
async def test_a_cer_with_such_an_avp_is_3009_and_closed(avp: bytes, failed: bytes) -> None:
    async with listening() as connect, connect() as peer:
        answer = await asked(peer, cer(avp))
        assert (answer.result(), answer.header.is_error) == ((0, 3009), True)
        assert answer.get(d.FAILED_AVP) == failed
        await peer.expect_close()


async def test_r_and_e_is_3008_whatever_other_bits_say() -> None:
    """§7.1.3 names the combination; 5013 of §7.1.5 would say no more, and freeDiameter and Erlang send 3008."""
    async with listening() as connect, connect() as peer:
        await peer.exchange()
        answer = await asked(peer, with_bits(base(DWR, of_vendor_0(STATE)), 0x2F))
        assert (answer.result(), answer.header.is_error) == ((0, 3008), True)
