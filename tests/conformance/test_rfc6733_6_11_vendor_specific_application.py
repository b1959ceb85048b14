"""RFC 6733 §6.11: a Vendor-Specific-Application-Id names one application, with Auth- or with Acct-Application-Id."""

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import CX
from diameter_proxy.diameter.dictionary import TGPP
from diameter_proxy.diameter.message import Message, encode_answer
from tests.integration.nodes_on_loopback import (
    HSS,
    REALM,
    VSAI,
    RawPeer,
    hss_config,
    proxy_config,
    raw,
    raw_server,
    running,
    until,
)

VENDOR = d.VENDOR_ID.encode(TGPP)
AUTH, ACCT = d.AUTH_APPLICATION_ID.encode(CX), d.ACCT_APPLICATION_ID.encode(CX)
BOTH = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(VENDOR + AUTH + ACCT)
NEITHER = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(VENDOR)


def applications(answer: Message) -> list[tuple[int | None, int | None, int | None]]:
    return [
        (group.get(d.VENDOR_ID), group.get(d.AUTH_APPLICATION_ID), group.get(d.ACCT_APPLICATION_ID))
        for group in answer.groups(d.VENDOR_SPECIFIC_APPLICATION_ID)
    ]


async def test_a_cer_with_auth_and_acct_in_one_is_5009_with_both_and_closed() -> None:
    """The answer MUST hold the received Auth- and Acct-Application-Id; what it says of us names one application."""
    async with running(hss_config()) as hss, raw(hss) as peer:
        cea = await peer.exchange(VSAI, BOTH)
        assert cea is not None
        assert (cea.result(), cea.get(d.FAILED_AVP)) == ((0, 5009), AUTH + ACCT)
        assert applications(cea) == [(TGPP, CX, None)]
        assert await peer.receive() is None


async def test_a_cer_with_neither_is_5005_with_an_example_of_each_and_closed() -> None:
    async with running(hss_config()) as hss, raw(hss) as peer:
        cea = await peer.exchange(VSAI, NEITHER)
        assert cea is not None
        failed = d.AUTH_APPLICATION_ID.encode(0) + d.ACCT_APPLICATION_ID.encode(0)
        assert (cea.result(), cea.get(d.FAILED_AVP)) == ((0, 5005), failed)
        assert await peer.receive() is None


async def test_a_cer_with_one_application_of_each_kind_lets_its_peer_in() -> None:
    acct = d.VENDOR_SPECIFIC_APPLICATION_ID.encode(VENDOR + ACCT)
    async with running(hss_config()) as hss, raw(hss) as peer:
        cea = await peer.exchange(VSAI, acct)
        assert cea is not None
        assert (cea.result(), applications(cea)) == ((0, 2001), [(TGPP, CX, None)])


async def test_a_cea_with_auth_and_acct_in_one_is_not_taken() -> None:
    async def answer_with_both(peer: RawPeer) -> None:
        request = await peer.receive()
        assert request is not None
        avps = [d.VENDOR_ID.encode(0), d.PRODUCT_NAME.encode("raw"), BOTH]
        cea = encode_answer(request, origin_host=HSS, origin_realm=REALM, result_code=2001, avps=avps)
        peer.writer.write(cea)
        await peer.expect_close()

    async with raw_server(answer_with_both) as port, running(proxy_config(port)) as proxy:
        await until(lambda: "has 2 application ids" in proxy.node.peers[HSS].reason)
        assert not proxy.node.is_open(HSS)
        assert proxy.kinds() == []
