"""What must not cross CSC-Y (TS 23.280 5.2.10.7; docs/diameter-proxy.md)."""

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.hot_path import locate, splice
from diameter_proxy.topology_hiding import TopologyHiding, needles_of, proxy_infos, without

HIDING = TopologyHiding("proxy1.mc2.lab", "ims.mc2.lab", b"s" * 32)
INFO = d.PROXY_INFO.encode(d.PROXY_HOST.encode("icscf.mc2.lab") + d.PROXY_STATE.encode(b"1"))


def test_a_session_is_hidden_under_one_of_our_own(made):
    """Whatever it is: who gets the request learns neither the S-CSCF's name nor how many sessions that has."""
    message = made.mar(session="scscf.mc2.lab;1;2;secret")
    outs = [Message.decode(splice(message, 0xC0, 1, HIDING.request_edits(message, locate(message), "x"))) for _ in "12"]
    one, two = (out.get(d.SESSION_ID) for out in outs)
    assert one != two
    assert one.startswith("proxy1.mc2.lab;") and "scscf" not in one and "secret" not in one


def test_a_request_leaves_with_our_names_only(made):
    message = made.mar(made.primary, d.ROUTE_RECORD.encode("icscf.mc2.lab"), INFO, d.DESTINATION_HOST.encode("x.lab"))
    out = Message.decode(splice(message, 0xC0, 1, HIDING.request_edits(message, locate(message), "ims.mc1.lab")))
    assert out.get(d.ORIGIN_HOST) == "proxy1.mc2.lab"
    assert out.get(d.DESTINATION_REALM) == "ims.mc1.lab"
    assert out.get(d.SERVER_NAME) == "sip:ims.mc2.lab"
    for avp in (d.ROUTE_RECORD, d.PROXY_INFO, d.DESTINATION_HOST):
        assert out.all(avp) == []
    assert b"cscf" not in out.octets


def test_an_answer_leaves_without_words_of_the_inside(made):
    more = [avp.encode("hss.mc1.lab") for avp in (d.ERROR_MESSAGE, d.ERROR_REPORTING_HOST, d.ROUTE_RECORD)]
    message = made.maa(made.mar(), made.primary, *more, d.ERROR_REPORTING_HOST.encode("hss.mc1.lab"), INFO)
    out = Message.decode(splice(message, 0x40, 1, HIDING.answer_edits(message, locate(message))))
    assert b"hss" not in out.octets
    assert out.all(d.ERROR_REPORTING_HOST) == ["proxy1.mc2.lab"]
    assert out.all(d.PROXY_INFO) == []


def test_proxy_infos_are_kept_for_the_answer_in_order(made):
    message = made.mar(made.partner, INFO, d.CLASS.encode(b"x"), INFO)
    assert proxy_infos(message, locate(message)) == INFO * 2


def test_an_avp_in_which_an_identity_strays_is_left_out(made):
    stray = d.CLASS.encode(b"for mig-p@ims.mc2.lab only")
    message = made.mar(made.primary, stray)
    needles = needles_of((b"mig-p@ims.mc2.lab", b"sip:mig-p@ims.mc2.lab"))
    assert needles == {b"mig-p@ims.mc2.lab"}
    out = without(message, needles)
    assert out == made.mar(made.primary)
    assert without(out, needles) is out


def test_what_both_sides_share_by_choice_may_be_seen():
    assert needles_of((b"u@d", b"sip:u@d"), but=(b"u@d",)) == frozenset()
    assert needles_of((b"u@d", b"sip:u@d"), but=(b"xu@de",)) == frozenset()
