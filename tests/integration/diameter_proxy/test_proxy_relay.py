"""Own users are relayed between CSCF and HSS; RFC 6733 §2.8.1, §6.1, §6.2 as a proxy agent must have them."""

import asyncio
import time

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import LIR, MAR, RTR, SAR, UAR
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.wire import encode_avp, encode_message, with_flags, with_hop_by_hop
from tests.integration.diameter_proxy.station import PATIENT

REALM, PROXY, HSS = "ims.mc1.lab", "proxy1.mc1.lab", "hss.mc1.lab"
ALICE, SIP_ALICE = "001010000000001@ims.mc1.lab", "sip:alice@ims.mc1.lab"


@pytest.fixture
def budgets(tools):
    """``[budgets]``: far away, unless a test is about them."""
    return tools.patient


@pytest.fixture
async def core(lab, tools, budgets):
    """An S-CSCF and an HSS with a proxy between."""
    hss = await lab.station(HSS, REALM, [PROXY])
    hss.answer = hss.multimedia_auth
    peers = [
        tools.peer("scscf.mc1.lab", REALM, "cscf"),
        tools.peer("icscf.mc1.lab", REALM, "cscf"),
        tools.peer(HSS, REALM, "hss", connect=True, address="127.0.0.1", port=tools.port_of(hss.node)),
    ]
    proxy = await lab.proxy(lab.tables("mc1", peers=peers, budgets=budgets))
    cscf = await lab.station("scscf.mc1.lab", REALM, [PROXY], port=tools.port_of(proxy))
    await lab.open(cscf, PROXY)
    await lab.open(hss, PROXY)
    return cscf, hss, proxy


async def test_a_mar_reaches_the_hss_octet_for_octet_with_route_record_at_its_end(core):
    cscf, hss, _ = core
    asked = cscf.mar(ALICE, SIP_ALICE)
    answer = await cscf.ask(PROXY, asked)
    got = hss.requests(MAR)[0]
    assert got.octets[20:] == asked[20:] + d.ROUTE_RECORD.encode("scscf.mc1.lab")
    assert got.header.end_to_end == answer.header.end_to_end == int.from_bytes(asked[16:20], "big")
    assert answer.get(d.RESULT_CODE) == 2001


async def test_the_answer_comes_back_octet_for_octet_but_for_hop_by_hop(core):
    cscf, hss, _ = core
    sent = []

    def answer(message):
        sent.append(hss.multimedia_auth(message))
        return sent[0]

    hss.answer = answer
    answer = await cscf.ask(PROXY, cscf.mar(ALICE, SIP_ALICE))
    assert answer.octets == with_hop_by_hop(sent[0], answer.header.hop_by_hop)


async def test_what_others_say_of_their_overload_is_passed_on(core):
    """RFC 7683 §5.1: OC-* AVPs, in a request and in its answer."""
    cscf, hss, _ = core
    supported = d.OC_SUPPORTED_FEATURES.encode(d.OC_FEATURE_VECTOR.encode(1))
    report = d.OC_OLR.encode(bytes.fromhex("0000027000000010000000000000002a"))
    hss.answer = lambda message: hss.success(message, supported, report)
    answer = await cscf.ask(PROXY, cscf.mar(ALICE, SIP_ALICE, more=(supported,)))
    assert supported in hss.requests(MAR)[0].octets
    assert supported + report in answer.octets


async def test_all_commands_of_own_users_are_relayed_stray_avps_and_any_scheme_included(core):
    cscf, hss, _ = core
    hss.answer = lambda message: hss.success(message, d.ERROR_MESSAGE.encode("x"), result_code=5012)
    digest = d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode("SIP Digest"))
    requests = (
        cscf.uar(ALICE, SIP_ALICE),
        cscf.sar(ALICE, SIP_ALICE),
        cscf.lir("tel:+4915112345"),
        cscf.mar(ALICE, SIP_ALICE, item=digest),
    )
    for asked in requests:
        answer = await cscf.ask(PROXY, asked)
        assert answer.get(d.RESULT_CODE) == 5012
        assert answer.get(d.ERROR_MESSAGE) == "x"
    for command in (UAR, SAR, LIR, MAR):
        assert len(hss.requests(command)) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"loop": True}, 3005),
        ({"realm": "ims.mc9.lab"}, 3003),
        ({"application": 16777217}, 3002),
        ({"application": 16777217, "host": PROXY}, 3007),
        ({"flags": 0x80}, 3001),
        ({"no_realm": True}, 5005),
        ({"command": 306}, 3001),
        ({"command": 304}, 3001),
        ({"host": "elsewhere.mc1.lab"}, 3002),
        ({"tail": bytes.fromhex("0000000140000007")}, 5014),
        ({"tail": bytes.fromhex("00000001400000ff")}, 5014),
        ({"many": 600}, 5012),
    ],
)
async def test_bad_requests_are_answered_by_the_proxy_and_reach_nobody(core, events, changes, code):
    """Facts: how neighbours treat bad input; RFC 6733 §6.1.3, §6.1.6, §7.1."""
    cscf, hss, _ = core
    avps = [d.SESSION_ID.encode("s;1;1"), d.ORIGIN_HOST.encode(cscf.host), d.ORIGIN_REALM.encode(REALM)]
    if not changes.get("no_realm"):
        avps.append(d.DESTINATION_REALM.encode(changes.get("realm", REALM)))
    if "host" in changes:
        avps.append(d.DESTINATION_HOST.encode(changes["host"]))
    avps += [d.USER_NAME.encode(ALICE), d.PUBLIC_IDENTITY.encode(SIP_ALICE)]
    if changes.get("loop"):
        avps.append(d.ROUTE_RECORD.encode(PROXY.upper()))
    avps += [encode_avp(25, b"")] * changes.get("many", 0)
    avps.append(changes.get("tail", b""))
    asked = encode_message(
        changes.get("flags", 0xC0), changes.get("command", 303), changes.get("application", 16777216), 0, 77, avps
    )
    answer = await cscf.ask(PROXY, asked)
    assert answer.get(d.RESULT_CODE) == code
    assert answer.header.is_error == (code < 4000)
    assert answer.header.end_to_end == 77
    assert answer.get(d.ORIGIN_HOST) == PROXY
    assert bool(answer.get(d.FAILED_AVP)) == (code in (5005, 5014))
    assert hss.got == []
    refused = [event for event in events if event["event"] == "request.refused"]
    assert refused[0]["result_code"] == code
    assert refused[0]["step"].startswith("10.6.2-")


async def test_proxy_info_comes_back_in_our_own_answers_and_mar_answers_name_the_identities(core):
    """RFC 6733 §6.2; without User-Name Kamailio hides the reason."""
    cscf, _, _ = core
    info = [d.PROXY_INFO.encode(d.PROXY_HOST.encode(h) + d.PROXY_STATE.encode(b"1")) for h in ("a.lab", "b.lab")]
    answer = await cscf.ask(PROXY, cscf.mar(ALICE, SIP_ALICE, realm="elsewhere.lab", more=info))
    assert answer.get(d.RESULT_CODE) == 3003
    assert [d.PROXY_INFO.encode(value) for value in answer.all(d.PROXY_INFO)] == info
    assert (answer.get(d.USER_NAME), answer.get(d.PUBLIC_IDENTITY)) == (ALICE, SIP_ALICE)
    assert answer.get(d.DESTINATION_REALM) is None


@pytest.mark.parametrize("budgets", [{**PATIENT, "hss_s": 1.0, "attempt_s": 0.5}], ids=["1 s"])
async def test_a_silent_hss_ends_in_3002_after_its_second(core):
    cscf, hss, _ = core
    hss.answer = lambda message: None
    began = time.monotonic()
    answer = await cscf.ask(PROXY, cscf.mar(ALICE, SIP_ALICE))
    assert answer.get(d.RESULT_CODE) == 3002
    assert answer.header.is_error
    assert 0.95 <= time.monotonic() - began < 15


async def test_a_dead_hss_ends_in_3002_at_once(core, tools):
    cscf, hss, proxy = core
    await hss.node.stop(deadline_s=0.5)
    await tools.until(lambda: not proxy.node.is_open(HSS))
    began = time.monotonic()
    answer = await cscf.ask(PROXY, cscf.uar(ALICE, SIP_ALICE))
    assert answer.get(d.RESULT_CODE) == 3002
    assert time.monotonic() - began < 15


async def test_two_cscfs_with_one_end_to_end_number_get_their_own_answers(core, lab, tools):
    cscf, hss, proxy = core
    other = await lab.station("icscf.mc1.lab", REALM, [PROXY], port=tools.port_of(proxy))
    await lab.open(other, PROXY)
    waiting = []
    hss.answer = lambda message: waiting.append(message)
    first = asyncio.create_task(cscf.ask(PROXY, cscf.uar(ALICE, SIP_ALICE, end_to_end=5)))
    second = asyncio.create_task(other.ask(PROXY, other.uar("b@" + REALM, "sip:b@" + REALM, end_to_end=5)))
    await tools.until(lambda: len(waiting) == 2)
    assert len({message.header.hop_by_hop for message in waiting}) == 2
    for message in reversed(waiting):
        hss.node.send(PROXY, hss.success(message, d.USER_NAME.encode(message.require(d.USER_NAME))))
    assert (await first).get(d.USER_NAME) == ALICE
    assert (await second).get(d.USER_NAME) == "b@" + REALM


async def test_rtr_goes_to_the_cscf_that_destination_host_names_and_rta_loses_its_stray_realm(core):
    """Kamailio's RTA carries a Destination-Realm, which no answer has (RFC 6733 §6.2)."""
    cscf, hss, _ = core
    cscf.answer = lambda message: cscf.success(message, d.DESTINATION_REALM.encode(REALM))
    answer = await hss.ask(PROXY, hss.rtr(ALICE, SIP_ALICE, host="scscf.mc1.lab"))
    assert answer.get(d.RESULT_CODE) == 2001
    assert answer.get(d.DESTINATION_REALM) is None
    assert cscf.requests(RTR)[0].all(d.ROUTE_RECORD) == [HSS]


async def test_an_rtr_for_a_cscf_that_is_not_there_is_3002(core):
    _, hss, _ = core
    answer = await hss.ask(PROXY, hss.rtr(ALICE, SIP_ALICE, host="icscf.mc1.lab"))
    assert answer.get(d.RESULT_CODE) == 3002


async def test_the_t_bit_is_kept_on_the_way_up(core):
    cscf, hss, _ = core
    asked = with_flags(cscf.mar(ALICE, SIP_ALICE), 0xD0)
    await cscf.ask(PROXY, asked)
    assert hss.requests(MAR)[0].header.is_retransmitted


async def test_an_unknown_answer_is_discarded(core, tools):
    cscf, hss, proxy = core
    request = Message.decode(encode_request(MAR, hop_by_hop=9, end_to_end=9, avps=hss.common(REALM)))
    hss.node.send(PROXY, hss.success(request))
    await tools.until(lambda: proxy.proxy.counters.answers_discarded == 1)
    assert (await cscf.ask(PROXY, cscf.mar(ALICE, SIP_ALICE))).get(d.RESULT_CODE) == 2001
