"""MAR and MAA of migrated users, in both roles (TS 23.280 CR, 10.6.2 steps 4 to 9)."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import encode_message
from diameter_proxy.hot_path import Pending, locate
from diameter_proxy.identity_map import IdentityMap
from diameter_proxy.migration import Migration
from diameter_proxy.ownership import Claim, Owner
from diameter_proxy.routing import Refusal, Route
from diameter_proxy.server_names import ServerNames
from diameter_proxy.topology_hiding import TopologyHiding

HIDING = TopologyHiding("proxy1.mc2.lab", "ims.mc2.lab", b"s" * 32)
RECORD = d.ROUTE_RECORD.encode("proxy1.mc2.lab")


def migration(as_default=False):
    return Migration(HIDING, ServerNames("sip:s1.mc1.lab"), as_default=as_default)


def claim(lent, impi=None, impu=None):
    impi = lent.identities[0] if impi is None else impi
    return Claim(Owner.LENT, lent, impi, (lent.identities[1] if impu is None else impu,))


def to_partner(message, lent):
    return migration().request_to_partner(message, locate(message), claim(lent), "ims.mc1.lab")


def pending(message, lent, identities):
    return Pending("s", message, locate(message), Route.PARTNER, 303, b"", (), 0, 1, lent, identities)


def answered(made, data, message=None, current=True):
    lent, identities = made.lent(), IdentityMap()
    if current:
        identities.apply(lent)
    sent = tuple(text.encode() for text in made.primary)
    returned = migration().answer(pending(message or made.mar(), lent, sent), data, identities, 0)
    return returned if isinstance(returned, Refusal) else returned.octets


def test_partner_identities_become_primary_ones_and_order_stays(made):
    out = to_partner(made.mar(), made.lent())
    message = Message.decode(out.octets)
    assert (message.get(d.USER_NAME), message.get(d.PUBLIC_IDENTITY)) == made.primary
    assert out.identities == tuple(text.encode() for text in made.primary)
    codes = [span.code for span in message.spans]
    assert codes == [span.code for span in Message.decode(made.mar()).spans]
    assert message.header.end_to_end == 9


def test_overload_avps_cross_both_legs_and_come_back_untouched(made):
    """RFC 7683 §5.1: we report no overload, so what others say of theirs is not ours to change."""
    supported = d.OC_SUPPORTED_FEATURES.encode(d.OC_FEATURE_VECTOR.encode(1))
    report = d.OC_OLR.encode(bytes.fromhex("0000027000000010000000000000002a"))
    asked = made.mar(made.partner, supported)
    for octets in (
        to_partner(asked, made.lent()).octets,
        migration().request_to_hss(asked, locate(asked), claim(made.lent(is_primary=True)), RECORD).octets,
        answered(made, made.maa(made.mar(), made.primary, supported, report)),
    ):
        assert supported in octets
    assert report in octets


@pytest.mark.parametrize("avp", [d.SESSION_ID, d.ORIGIN_HOST, d.ORIGIN_REALM, d.USER_NAME, d.PUBLIC_IDENTITY])
def test_what_the_mapping_needs_is_missing_5005(made, avp):
    message = made.mar()
    gone = next(span for span in Message.decode(message).spans if span.code == avp.code)
    cut = message[: gone.start] + message[gone.next :]
    cut = cut[:1] + len(cut).to_bytes(3, "big") + cut[4:]
    refusal = to_partner(cut, made.lent())
    assert refusal.result_code == 5005
    assert refusal.failed_avp == avp.example()


def test_what_stands_twice_is_5009(made):
    refusal = to_partner(made.mar(made.partner, d.SERVER_NAME.encode("x")), made.lent())
    assert refusal.result_code == 5009
    assert refusal.failed_avp == d.SERVER_NAME.encode("x")


def test_an_identity_without_counterpart_goes_nowhere(made):
    lent = made.lent(identities=(b"mig-p@ims.mc2.lab", b"tel:+49"))
    message = made.mar()
    assert migration().request_to_partner(message, locate(message), claim(lent), "r").experimental == 5001
    hss = migration(as_default=True).request_to_hss(message, locate(message), claim(lent), RECORD)
    assert hss.experimental == 5001


@pytest.mark.parametrize(
    ("as_default", "provisioned", "mapped"),
    [(False, True, False), (False, False, True), (True, True, True)],
)
def test_the_hss_is_asked_for_what_it_knows(made, as_default, provisioned, mapped):
    lent = made.lent(is_primary=True, provisioned=provisioned)
    message = made.mar()
    out = migration(as_default).request_to_hss(message, locate(message), claim(lent), RECORD)
    got = Message.decode(out.octets)
    assert (got.get(d.USER_NAME), got.get(d.PUBLIC_IDENTITY)) == (made.primary if mapped else made.partner)
    assert got.get(d.SERVER_NAME) == "sip:s1.mc1.lab"
    assert out.octets.endswith(RECORD)


def test_a_mar_without_server_name_or_number_of_items_gets_them(made):
    message = made.mar().replace(d.SERVER_NAME.encode("sip:scscf.mc2.lab:6060"), b"")
    message = message.replace(d.SIP_NUMBER_AUTH_ITEMS.encode(1), b"")
    message = message[:1] + len(message).to_bytes(3, "big") + message[4:]
    out = migration().request_to_hss(message, locate(message), claim(made.lent(provisioned=True)), RECORD)
    got = Message.decode(out.octets)
    assert (got.get(d.SERVER_NAME), got.get(d.SIP_NUMBER_AUTH_ITEMS)) == ("sip:s1.mc1.lab", 1)


def test_the_answer_names_what_was_asked(made):
    out = Message.decode(answered(made, made.maa(made.mar())))
    assert (out.get(d.USER_NAME), out.get(d.PUBLIC_IDENTITY)) == made.partner
    assert out.get(d.SESSION_ID) == "scscf.mc2.lab;1;2"
    assert made.vector() in out.octets
    assert (out.header.hop_by_hop, out.header.end_to_end) == (5, 9)


@pytest.mark.parametrize(
    "identities",
    [("mig-x@ims.mc1.lab", "sip:mig-h@ims.mc1.lab"), ("mig-h@ims.mc1.lab", "sip:mig-x@ims.mc1.lab")],
)
def test_other_identities_are_5012(made, identities):
    assert answered(made, made.maa(made.mar(), identities)).result_code == 5012


def test_a_second_user_name_in_the_answer_is_5012(made):
    data = made.maa(made.mar(), made.primary, d.USER_NAME.encode("mig-x@ims.mc1.lab"))
    assert answered(made, data).result_code == 5012


def test_an_answer_for_a_withdrawn_binding_is_5001(made):
    assert answered(made, made.maa(made.mar()), current=False).experimental == 5001


def test_an_error_passes_with_its_code_and_without_a_vector(made):
    data = made.maa(made.mar(), ("x@y", "sip:x@y"), d.USER_NAME.encode("z@y"), result_code=5012)
    out = Message.decode(answered(made, data))
    assert out.get(d.RESULT_CODE) == 5012
    assert (out.all(d.USER_NAME), out.all(d.PUBLIC_IDENTITY)) == ([made.partner[0]], [made.partner[1]])
    assert out.all(d.SIP_AUTH_DATA_ITEM) == []


def test_an_error_without_identities_and_session_gets_them(made):
    avps = [d.RESULT_CODE.encode(3002), d.ORIGIN_HOST.encode("x")]
    out = answered(made, encode_message(0x60, 303, 16777216, 5, 9, avps))
    assert not isinstance(out, Refusal)
    message = Message.decode(out)
    assert message.spans[0].code == d.SESSION_ID.code
    assert (message.get(d.USER_NAME), message.get(d.PUBLIC_IDENTITY)) == made.partner
    assert message.header.is_error
