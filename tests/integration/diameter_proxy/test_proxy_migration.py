"""TS 23.280 (CR) 10.6.2 steps 3 to 10 through two real proxies: identities mapped there and back, nothing else."""

import asyncio
from datetime import UTC, datetime

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import LIR, MAR, SAR, UAR
from diameter_proxy.diameter.message import Message

AKA = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")


def watch(server):
    """Keep every message that a proxy sends, with its destination."""
    sent, send = [], server.node.send

    def sending(peer, octets):
        sent.append((peer, octets))
        send(peer, octets)

    server.node.send = sending
    return sent


def to(sent, peer):
    return [Message.decode(octets) for where, octets in sent if where == peer]


async def test_the_vector_comes_back_under_the_partner_identities(migration):
    lab = await migration.start()
    asked = lab.mar()
    answer = await lab.ask(asked)
    assert answer.get(d.RESULT_CODE) == 2001
    assert answer.get(d.USER_NAME) == lab.PARTNER_SET[0]
    assert answer.get(d.PUBLIC_IDENTITY) == lab.PARTNER_SET[1]
    assert answer.get(d.SESSION_ID) == Message.decode(asked).get(d.SESSION_ID)
    assert answer.header.end_to_end == int.from_bytes(asked[16:20], "big")
    assert answer.get(d.SIP_NUMBER_AUTH_ITEMS) == 1
    got = lab.hss.requests(MAR)[0]
    assert (got.get(d.USER_NAME), got.get(d.PUBLIC_IDENTITY)) == lab.PRIMARY_SET[:2]
    assert got.get(d.SERVER_NAME) == "sip:scscf.mc1.lab:6060"
    assert got.header.end_to_end == answer.header.end_to_end
    assert lab.hss2.got == []


async def test_over_tls_with_both_certificates(migration):
    lab = await migration.start(tls=True)
    assert (await lab.ask(lab.mar())).get(d.RESULT_CODE) == 2001


async def test_the_second_impu_maps_to_the_second_by_position(migration):
    lab = await migration.start()
    answer = await lab.ask(lab.mar(impu=lab.PARTNER_SET[2]))
    assert answer.get(d.PUBLIC_IDENTITY) == lab.PARTNER_SET[2]
    assert lab.hss.requests(MAR)[0].get(d.PUBLIC_IDENTITY) == lab.PRIMARY_SET[2]


async def test_the_authentication_item_passes_octet_for_octet_both_ways(migration, tools):
    """RAND||AUTS of a resynchronisation, and the vector (TS 33.203 §6.1.3)."""
    lab = await migration.start()
    item = d.SIP_AUTH_DATA_ITEM.encode(AKA + d.SIP_AUTHORIZATION.encode(bytes(range(30))))
    answer = await lab.ask(lab.mar(item=item))
    got = lab.hss.requests(MAR)[0]
    assert item in got.octets
    assert tools.vector() in answer.octets


async def test_the_default_set_goes_to_an_hss_that_knows_no_other(migration):
    lab = await migration.start(hss={"identities": "default"})
    answer = await lab.ask(lab.mar())
    assert answer.get(d.USER_NAME) == lab.PARTNER_SET[0]
    got = lab.hss.requests(MAR)[0]
    assert (got.get(d.USER_NAME), got.get(d.PUBLIC_IDENTITY)) == lab.DEFAULT_SET[:2]


async def test_a_random_set_is_mapped_to_the_default_set_even_where_sets_are_lent(migration):
    lab = await migration.start()
    lab.feed1.change("h1", provisioned=False)
    await lab.in_step()
    await lab.ask(lab.mar())
    assert lab.hss.requests(MAR)[0].get(d.USER_NAME) == lab.DEFAULT_SET[0]


async def test_an_unknown_scheme_goes_out_as_akav1_and_only_one_vector_is_asked_for(migration):
    lab = await migration.start()
    item = d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode("Unknown"))
    await lab.ask(lab.mar(item=item, number=5))
    got = lab.hss.requests(MAR)[0]
    assert d.SIP_AUTH_DATA_ITEM.encode(AKA) in got.octets
    assert got.get(d.SIP_NUMBER_AUTH_ITEMS) == 1


async def test_no_name_or_identity_of_the_inside_leaves_in_any_octet(migration):
    """Topology hiding, and where identities may be seen: in requests, answers and error answers."""
    lab = await migration.start(hss={"identities": "default"})
    sent1, sent2 = watch(lab.proxy1), watch(lab.proxy2)

    def leaky(message, code=2001):
        more = [
            d.ERROR_MESSAGE.encode(f"nobody {lab.DEFAULT_SET[0]}"),
            d.ERROR_REPORTING_HOST.encode("hss.mc1.lab"),
            d.FAILED_AVP.encode(d.USER_NAME.encode(lab.DEFAULT_SET[0])),
            d.ROUTE_RECORD.encode("hss.mc1.lab"),
            d.CLASS.encode(lab.DEFAULT_SET[1].encode()),
            d.PROXY_INFO.encode(d.PROXY_HOST.encode("hss.mc1.lab") + d.PROXY_STATE.encode(b"1")),
        ]
        if code != 2001:
            return lab.hss.success(message, *more, result_code=code)
        answer = lab.hss.multimedia_auth(message)
        tail = b"".join(more)
        return answer[:1] + (len(answer) + len(tail)).to_bytes(3, "big") + answer[4:] + tail

    for code in (2001, 5012, 3002):
        lab.hss.answer = lambda message, code=code: leaky(message, code)
        stray = [
            d.PROXY_INFO.encode(d.PROXY_HOST.encode("icscf.mc2.lab") + d.PROXY_STATE.encode(b"7")),
            d.ROUTE_RECORD.encode("icscf.mc2.lab"),
            d.CLASS.encode(lab.PARTNER_SET[0].encode()),
        ]
        nai = f'Digest username="{lab.PARTNER_SET[0]}"'.encode()
        item = d.SIP_AUTH_DATA_ITEM.encode(AKA + d.SIP_AUTHORIZATION.encode(nai))
        answer = await lab.ask(lab.mar(item=item, more=stray))
        assert answer.get(d.RESULT_CODE) == code
        assert (answer.get(d.USER_NAME), answer.get(d.PUBLIC_IDENTITY)) == lab.PARTNER_SET[:2]
        assert [d.PROXY_INFO.encode(value) for value in answer.all(d.PROXY_INFO)] == stray[:1]
    for request in to(sent2, lab.P1):
        for secret in (*lab.PARTNER_SET, "scscf", "icscf"):
            assert secret.removeprefix("sip:").encode() not in request.octets
        assert request.get(d.ORIGIN_HOST) == lab.P2
        assert request.get(d.DESTINATION_REALM) == "ims.mc1.lab"
        assert request.get(d.DESTINATION_HOST) is None
        assert request.get(d.SESSION_ID).startswith(lab.P2)
    for answer in to(sent1, lab.P2):
        for secret in (*lab.DEFAULT_SET, "hss.mc1", "scscf.mc1"):
            assert secret.removeprefix("sip:").encode() not in answer.octets
    for answer in to(sent2, lab.scscf.host):
        for secret in (*lab.PRIMARY_SET, *lab.DEFAULT_SET, "hss.mc1"):
            assert secret.removeprefix("sip:").encode() not in answer.octets
    assert len({request.get(d.SESSION_ID) for request in to(sent2, lab.P1)}) == 3


async def test_uar_sar_and_lir_of_a_lent_set_go_to_the_mms(migration):
    lab = await migration.start()
    impi, impu = lab.PARTNER_SET[:2]
    for asked in (lab.scscf.uar(impi, impu), lab.scscf.sar(impi, impu), lab.scscf.lir(impu)):
        assert (await lab.ask(asked)).get(d.RESULT_CODE) == 2001
    assert [len(lab.mms.requests(command)) for command in (UAR, SAR, LIR)] == [1, 1, 1]
    assert lab.hss2.got == []


async def test_uar_sar_and_lir_go_to_the_hss_where_it_is_the_database_of_lent_sets(migration):
    lab = await migration.start(hss={"lent_identities": "hss"})
    lab.hss2.answer = lab.hss2.success
    assert (await lab.ask(lab.scscf.uar(*lab.PARTNER_SET[:2]))).get(d.RESULT_CODE) == 2001
    assert lab.mms.got == []


@pytest.mark.parametrize(
    ("change", "uar", "mar"),
    [
        ({"deleted": True}, 5001, 5001),
        ({"enabled": False}, 5004, 5001),
        ({"not_after": datetime(2020, 1, 1, tzinfo=UTC)}, 5001, 5001),
    ],
)
async def test_what_is_not_bound_is_refused_without_an_oracle(migration, events, change, uar, mar):
    lab = await migration.start()
    lab.feed2.change("p1", **change)
    await lab.in_step()
    answer = await lab.ask(lab.scscf.uar(*lab.PARTNER_SET[:2]))
    assert answer.result() == (10415, uar)
    answer = await lab.ask(lab.mar())
    assert answer.result() == (10415, mar)
    assert answer.get(d.ERROR_MESSAGE) == "user unknown"
    assert (answer.get(d.USER_NAME), answer.get(d.PUBLIC_IDENTITY)) == lab.PARTNER_SET[:2]
    assert not answer.header.is_error
    assert lab.hss.got == []
    refused = [event for event in events if event["event"] == "request.refused"]
    assert [event["step"] for event in refused] == ["10.6.2-4", "10.6.2-4"]


async def test_identities_of_two_sets_are_5002_and_go_nowhere(migration):
    """One set: in UAR, MAR, SAR, on AAA-2 and CSC-Y; one lent with one native is no pair."""
    lab = await migration.start()
    other = ("mig-p2@ims.mc2.lab", "sip:mig-p2@ims.mc2.lab")
    lab.feed2.lend("p2", "partner", "mc1", other, ("mig-h2@ims.mc1.lab", "sip:mig-h2@ims.mc1.lab"))
    await lab.in_step()
    impi, impu = lab.PARTNER_SET[:2]
    native = ("001020000000001@ims.mc2.lab", "sip:bob@ims.mc2.lab")
    for private, public in ((impi, other[1]), (impi, native[1]), (native[0], impu), ("mig-x@ims.mc2.lab", impu)):
        for asked in (
            lab.mar(private, public),
            lab.scscf.uar(private, public),
            lab.scscf.sar(private, public),
        ):
            assert (await lab.ask(asked)).result() == (10415, 5002)
    assert lab.hss.got == lab.hss2.got == lab.mms.got == []


async def test_a_second_user_name_does_not_slip_past_the_pair_check(migration):
    lab = await migration.start()
    native = d.USER_NAME.encode("001020000000001@ims.mc2.lab")
    answer = await lab.ask(lab.mar(more=[native]))
    assert (answer.result(), answer.get(d.FAILED_AVP)) == ((0, 5009), native)
    again = d.USER_NAME.encode(lab.PARTNER_SET[0])
    assert (await lab.ask(lab.mar(more=[again]))).get(d.RESULT_CODE) == 5009
    assert lab.hss.got == []


async def test_a_lent_name_in_other_letters_is_no_native_user(migration):
    lab = await migration.start()
    answer = await lab.ask(lab.mar("MIG-p9@IMS.MC2.LAB", "sip:%6dig-p9@ims.mc2.lab"))
    assert answer.result() == (10415, 5001)
    assert lab.hss2.got == []


async def test_hosts_compare_in_lower_case(migration):
    lab = await migration.start()
    answer = await lab.ask(lab.mar("mig-p1@IMS.mc2.lab", "SIP:mig-p1@ims.MC2.lab"))
    assert answer.get(d.RESULT_CODE) == 2001
    assert answer.get(d.USER_NAME) == "mig-p1@IMS.mc2.lab"


async def test_a_scheme_that_is_not_aka_is_5006(migration):
    lab = await migration.start()
    item = d.SIP_AUTH_DATA_ITEM.encode(d.SIP_AUTHENTICATION_SCHEME.encode("SIP Digest"))
    assert (await lab.ask(lab.mar(item=item))).result() == (10415, 5006)
    assert lab.hss.got == []


async def test_an_maa_without_an_aka_item_is_5006(migration, tools):
    lab = await migration.start()
    lab.hss.answer = lambda message: lab.hss.multimedia_auth(message, tools.vector(scheme="SIP Digest"))
    assert (await lab.ask(lab.mar())).result() == (10415, 5006)
    lab.hss.answer = lambda message: lab.hss.success(
        message, d.USER_NAME.encode(lab.PRIMARY_SET[0]), d.PUBLIC_IDENTITY.encode(lab.PRIMARY_SET[1])
    )
    assert (await lab.ask(lab.mar())).result() == (10415, 5006)


async def test_a_damaged_vector_is_5012(migration, tools, events):
    lab = await migration.start()
    for items in (
        (tools.vector(authenticate=bytes(16)),),
        (tools.vector(xres=bytes(3)),),
        (tools.vector(), tools.vector()),
    ):
        lab.hss.answer = lambda message, items=items: lab.hss.multimedia_auth(message, *items)
        assert (await lab.ask(lab.mar())).get(d.RESULT_CODE) == 5012
    assert {event["step"] for event in events if event["event"] == "answer.refused"} == {"10.6.2-7"}


async def test_an_item_without_a_number_gets_one(migration, tools):
    lab = await migration.start()
    lab.hss.answer = lambda message: lab.hss.multimedia_auth(message, tools.vector(item_number=0))
    assert tools.vector() in (await lab.ask(lab.mar())).octets


async def test_somebody_elses_vector_is_5012_and_an_alarm(migration, events):
    """Both proxies verify that the identities of the MAA are those sent."""
    lab = await migration.start()
    for changes in ({"user_name": "mig-h2@ims.mc1.lab"}, {"public": "sip:mig-h1b@ims.mc1.lab"}):
        lab.hss.answer = lambda message, changes=changes: lab.hss.multimedia_auth(message, **changes)
        answer = await lab.ask(lab.mar())
        assert answer.get(d.RESULT_CODE) == 5012
        assert answer.all(d.SIP_AUTH_DATA_ITEM) == []
    alarms = [event for event in events if event["event"] == "answer.refused"]
    assert {event["reason"] for event in alarms} == {"identities of the answer are not those sent"}
    assert {event["log_level"] for event in alarms} == {"error"}


async def test_the_withdrawal_of_a_binding_stops_a_vector_that_is_under_way(migration, tools):
    lab = await migration.start()
    waiting = []
    lab.hss.answer = lambda message: waiting.append(message)
    asking = asyncio.create_task(lab.ask(lab.mar()))
    await tools.until(lambda: waiting)
    lab.feed2.change("p1", enabled=False)
    await lab.in_step()
    lab.hss.node.send(lab.P1, lab.hss.multimedia_auth(waiting[0]))
    answer = await asking
    assert answer.result() == (10415, 5001)
    assert answer.all(d.SIP_AUTH_DATA_ITEM) == []


async def test_server_name_is_the_one_that_the_hss_has_stored(migration, lab, tools):
    """Learnt from the relayed SAR of the user's own registration; the partner's never reaches the HSS."""
    both = await migration.start()
    home = await lab.station("scscf.mc1.lab", "ims.mc1.lab", [both.P1], port=tools.port_of(both.proxy1))
    await lab.open(home, both.P1)
    both.hss.answer = lambda message: (
        both.hss.multimedia_auth(message) if message.header.command_code == 303 else both.hss.success(message)
    )
    await home.ask(both.P1, home.sar(*both.DEFAULT_SET[:2], server_name="sip:s7.mc1.lab"))
    await both.ask(both.mar())
    await home.ask(both.P1, home.sar(*both.DEFAULT_SET[:2], kind=5, server_name="sip:s7.mc1.lab"))
    await both.ask(both.mar())
    names = [message.get(d.SERVER_NAME) for message in both.hss.requests(MAR)]
    assert names == ["sip:s7.mc1.lab", "sip:scscf.mc1.lab:6060"]
