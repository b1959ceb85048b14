"""Messages to and from peers that names of the inside are hidden from (D.3; docs/diameter-proxy.md)."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR
from diameter_proxy.diameter.message import Message, encode_answer, encode_request
from diameter_proxy.diameter.wire import encode_avp
from diameter_proxy.hidden_names import NamesNotHidden, hidden_names
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.routing import Source
from diameter_proxy.settings import Settings

EDGE, INSIDE, OUTSIDE, REALM = "edge.mc1.lab", "dra.mc1.lab", "dra.mc2.lab", "ims.mc1.lab"
ROWS = [
    Neighbour(INSIDE, REALM, Source.AGENT),
    Neighbour("hss.epc.lab", REALM, Source.HSS),
    Neighbour("proxy1.mc3.lab", "ims.mc3.lab", Source.PARTNER, "mc3"),
    Neighbour(OUTSIDE, "ims.mc2.lab", Source.AGENT, hides_names=True),
]


def settings(**more):
    more = {"hiding_keys": (b"k" * 32,), "hiding_domains": (b"ims.mc1.lab", b"mc1.lab"), **more}
    return Settings(EDGE, REALM, frozenset(), b"s" * 32, **more)


NAMES = hidden_names(settings(), Neighbours(ROWS, REALM))
HOP = d.PROXY_INFO.encode(d.PROXY_HOST.encode("icscf.mc1.lab") + d.PROXY_STATE.encode(b"state"))
REQUEST = encode_request(
    MAR,
    hop_by_hop=5,
    end_to_end=6,
    avps=[
        d.SESSION_ID.encode("scscf.mc1.lab;1;2"),
        d.ORIGIN_HOST.encode("scscf.mc1.lab"),
        d.ORIGIN_REALM.encode(REALM),
        d.DESTINATION_REALM.encode("ims.mc2.lab"),
        d.USER_NAME.encode("alice@ims.mc1.lab"),
        HOP,
        d.ROUTE_RECORD.encode("icscf.mc1.lab"),
        d.ROUTE_RECORD.encode("hss.epc.lab"),
    ],
)


def answer(*avps, request=REQUEST, code=2001, host="hss.mc1.lab"):
    return encode_answer(request, origin_host=host, origin_realm=REALM, result_code=code, avps=avps)


def test_no_host_of_the_inside_is_in_a_request_that_leaves():
    out = NAMES.hidden(REQUEST)
    for name in (b"scscf", b"icscf", b"hss.epc", b"mc1.lab;1;2"):
        assert name not in out
    message = Message.decode(out)
    assert message.get(d.USER_NAME) == "alice@ims.mc1.lab"
    assert (message.header.hop_by_hop, message.header.end_to_end) == (5, 6)
    assert [span.code for span in message.spans] == [span.code for span in Message.decode(REQUEST).spans]
    assert len({message.get(d.ORIGIN_HOST), *message.all(d.ROUTE_RECORD)}) == 3


def test_an_answer_to_it_comes_back_with_the_real_names():
    reply = answer(d.ROUTE_RECORD.encode("x"), request=NAMES.hidden(REQUEST), host="hss.mc2.lab")
    back = Message.decode(NAMES.restored(OUTSIDE, reply))
    assert back.get(d.SESSION_ID) == "scscf.mc1.lab;1;2"
    assert [d.PROXY_INFO.encode(value) for value in back.all(d.PROXY_INFO)] == [HOP]
    assert back.get(d.ORIGIN_HOST) == "hss.mc2.lab"


def test_a_destination_host_that_comes_back_is_the_real_one():
    pseudonym = Message.decode(NAMES.hidden(REQUEST)).require(d.ORIGIN_HOST)
    asked = encode_request(MAR, end_to_end=1, avps=[d.DESTINATION_HOST.encode(pseudonym.upper())])
    assert Message.decode(NAMES.restored(OUTSIDE, asked)).get(d.DESTINATION_HOST) == "scscf.mc1.lab"
    assert NAMES.restored(INSIDE, asked) == asked


def test_nobody_is_one_of_ours_by_our_own_pseudonym():
    """Origin-Host of a request is not restored: else an outsider would speak in the name of one of the inside."""
    hidden = NAMES.hidden(REQUEST)
    restored = Message.decode(NAMES.restored(OUTSIDE, hidden))
    assert restored.get(d.ORIGIN_HOST) == Message.decode(hidden).get(d.ORIGIN_HOST) != "scscf.mc1.lab"
    assert restored.all(d.ROUTE_RECORD) == ["icscf.mc1.lab", "hss.epc.lab"]


def test_an_answer_of_the_inside_tells_nothing():
    telling = [
        d.ERROR_REPORTING_HOST.encode("hss.mc1.lab"),
        d.ERROR_MESSAGE.encode("no disk on hss.mc1.lab"),
        d.REDIRECT_HOST.encode("aaa://hss2.mc1.lab:3868"),
        d.FAILED_AVP.encode(d.DESTINATION_HOST.encode("hss9.mc1.lab") + d.USER_NAME.encode("alice@ims.mc1.lab")),
        d.FAILED_AVP.encode(b"\0\0\0\1\x40\0\0\x09 scscf.mc1.lab"),
        d.SERVER_NAME.encode("sip:scscf.mc1.lab:6060"),
    ]
    asked = encode_request(MAR, end_to_end=1, avps=[d.SESSION_ID.encode("cscf.mc2.lab;1;2")])
    out = Message.decode(NAMES.hidden(answer(*telling, request=asked, code=5012)))
    assert b"hss" not in out.octets
    assert out.octets.count(b"scscf") == 1, "a SIP name passes: the I-CSCF sends there"
    assert (out.all(d.ERROR_MESSAGE), out.all(d.REDIRECT_HOST), len(out.all(d.FAILED_AVP))) == ([], [], 1)
    assert out.get(d.SESSION_ID) == "cscf.mc2.lab;1;2"
    assert out.result() == (0, 5012)


def test_what_names_nobody_of_the_inside_passes_octet_for_octet():
    harmless = answer(
        d.ERROR_MESSAGE.encode("try again"),
        d.FAILED_AVP.encode(b"\0\0\0\1\x40\0\0\x09"),
        d.ROUTE_RECORD.encode(EDGE),
        d.ROUTE_RECORD.encode(OUTSIDE),
        d.PROXY_INFO.encode(b"\0\0\0\1"),
        encode_avp(264, b"hss.mc1.lab", 10415),
        request=encode_request(MAR, end_to_end=1, avps=[d.SESSION_ID.encode(f"{EDGE};1;2")]),
        host="proxy1.mc3.lab",
    )
    assert NAMES.hidden(harmless) == harmless
    assert NAMES.restored(OUTSIDE, harmless) == harmless


@pytest.mark.parametrize("tail", [b"\0\0\1\x08\x40\0\0\xff", b"\0\0\0"])
def test_what_cannot_be_read_does_not_leave_and_is_taken_as_it_came(tail):
    broken = REQUEST[:1] + (len(REQUEST) + len(tail)).to_bytes(3, "big") + REQUEST[4:] + tail
    with pytest.raises(NamesNotHidden):
        NAMES.hidden(broken)
    assert NAMES.restored(OUTSIDE, broken) == broken


def test_only_hidden_peers_get_other_octets():
    assert NAMES.hides_from_anybody
    assert NAMES.leaving(INSIDE, REQUEST) == REQUEST
    assert NAMES.leaving(OUTSIDE, REQUEST) == NAMES.hidden(REQUEST) != REQUEST


def test_who_hides_from_nobody_sends_as_it_is():
    nobody = hidden_names(settings(hiding_keys=()), Neighbours(ROWS[:2], REALM))
    assert not nobody.hides_from_anybody
    assert not nobody.hides_from(INSIDE)
    assert nobody.restored(INSIDE, REQUEST) is REQUEST
