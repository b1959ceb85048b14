"""A form is a message with holes: what goes in is compared, what goes out is put together."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR, UAR
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.wire import encode_avp
from diameter_proxy.forms import FIRST, ITEM, SECOND, SERVER, SESSION
from diameter_proxy.hot_path import (
    FORMS_MAX,
    LEARNT_A_TICK_MAX,
    LENGTHS_MAX,
    SIP_AUTH_DATA_ITEM,
    TELLING_OCTETS,
    Forms,
    Template,
    answer_form,
    as_asked,
    avp_at,
    is_alike,
    is_split,
    locate,
    request_form,
)

DIGITS = 10
OURS = "proxy1.mc2.lab;1234567890;1000000001"
RESYNC = d.SIP_AUTH_DATA_ITEM.encode(
    d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5") + d.SIP_AUTHORIZATION.encode(bytes(30))
)


def made_request(made, **changes):
    data = made.mar(**changes)
    out = made.mar(made.primary, **{**changes, "session": OURS})
    return data, request_form(data, locate(data), out, locate(out), DIGITS)


def test_a_message_falls_into_constants_and_values(made):
    data, form = made_request(made)
    other = made.mar(("mig-q@ims.mc2.lab", "sip:mig-q@ims.mc2.lab"), end_to_end=77, session="scscf.mc2.lab;3;4")
    values = form.values_of(other)
    assert form.constants_of(other) == form.constants == form.constants_of(data)
    public, user = d.PUBLIC_IDENTITY.encode("sip:mig-q@ims.mc2.lab"), d.USER_NAME.encode("mig-q@ims.mc2.lab")
    assert values == (other[12:16], (77).to_bytes(4, "big"), public + user)
    assert not form.user_first
    assert (other[form.user_from : form.user_end], other[form.public_from : form.public_end]) == (user, public)


def test_what_stands_between_both_identities_is_constant(made):
    """As in the grammar of TS 29.229 6.1.7, with Supported-Features after User-Name."""

    def message(identities, session):
        avps = [d.SESSION_ID.encode(session), d.USER_NAME.encode(identities[0]), encode_avp(628, b"abcd", 10415)]
        avps += [d.PUBLIC_IDENTITY.encode(identities[1]), RESYNC]
        return encode_request(MAR, end_to_end=1, avps=avps)

    data, out = message(made.partner, "scscf;1;2"), message(made.primary, OURS)
    form = request_form(data, locate(data), out, locate(out), DIGITS)
    user, public = d.USER_NAME.encode(made.partner[0]), d.PUBLIC_IDENTITY.encode(made.partner[1])
    assert is_split(data, locate(data)) and form.user_first
    assert form.values_of(data)[2:] == (user, public)
    users, publics = d.USER_NAME.encode("somebody@x"), d.PUBLIC_IDENTITY.encode("sip:somebody@x")
    octets = DIGITS + len(users) + len(publics) + len(RESYNC)
    expected = message(("somebody@x", "sip:somebody@x"), OURS)
    assert form.out.filled(octets, out[12:16], out[16:20], OURS[-DIGITS:].encode(), users, publics, RESYNC) == expected


@pytest.mark.parametrize(
    "changes", [{"number": 2}, {"realm": "ims.mc3.lab"}, {"command": UAR}], ids=["number", "realm", "command"]
)
def test_another_constant_does_not_fit(made, changes):
    _, form = made_request(made)
    assert form.constants_of(made.mar(**changes)) != form.constants


def test_what_goes_out_has_the_new_values_and_its_own_length(made):
    _, form = made_request(made)
    user, public = d.USER_NAME.encode("somebody-else@x"), d.PUBLIC_IDENTITY.encode("sip:somebody-else@x")
    for session in (b"1000000002", b"2000000003"):
        octets = DIGITS + len(user) + len(public)
        out = form.out.filled(octets, b"hop!", b"e2e!", session, public + user, b"")
        decoded = Message.decode(out)
        assert int.from_bytes(out[1:4], "big") == len(out)
        assert out[12:20] == b"hop!e2e!"
        assert decoded.get(d.SESSION_ID) == OURS[:-DIGITS] + session.decode()
        assert (decoded.get(d.USER_NAME), decoded.get(d.PUBLIC_IDENTITY)) == ("somebody-else@x", "sip:somebody-else@x")


def test_a_vector_of_the_request_goes_out_with_it(made):
    data, form = made_request(made, item=RESYNC)
    assert form.has_values and not made_request(made)[1].has_values
    other = made.mar(item=RESYNC.replace(bytes(30), b"a" * 30))
    assert form.constants_of(other) == form.constants
    assert other[form.item_from : form.item_end] == avp_at(other, locate(other)[SIP_AUTH_DATA_ITEM])
    assert data[form.item_from : form.item_end] == RESYNC


def test_an_answer_keeps_its_item_and_gets_what_was_asked(made):
    asked = made.mar()
    data = made.maa(Message.decode(asked), made.primary)
    out = made.maa(Message.decode(asked), made.partner)
    form = answer_form(data, locate(data), out, locate(out))
    values = form.values_of(data)
    assert values[:2] == (int.from_bytes(data[12:16], "big"), data[16:20])
    assert form.user_first
    assert values[2:] == (d.USER_NAME.encode(made.primary[0]), d.PUBLIC_IDENTITY.encode(made.primary[1]))
    avps = [asked[start:end] for start, end, _ in as_asked(asked, locate(asked))]
    item = data[form.item_from : form.item_end]
    octets = sum(map(len, [*avps, item]))
    assert form.out.filled(octets, asked[12:16], asked[16:20], *avps, item) == out


def test_a_value_that_is_left_out_the_next_time_is_not_there_again():
    out = b"\x01\0\0\x24\xc0\0\x01\x2f\x01\0\0\0" + bytes(8) + b"aaSSbbUUPPccIIVV"
    places = [(22, 24, SESSION), (26, 28, FIRST), (28, 30, SECOND), (32, 34, ITEM), (34, 36, SERVER)]
    template = Template(out, places)
    identifiers = (b"hop!", b"e2e!")
    with_server = template.filled(10, *identifiers, b"S", b"U", b"P", b"I", b"SERVER")
    without = template.filled(4, *identifiers, b"S", b"U", b"P", b"I")
    assert with_server.endswith(b"ccISERVER") and without.endswith(b"ccI")
    assert int.from_bytes(without[1:4], "big") == len(without)
    assert template.constants == [b"aa", b"bb", b"cc"]


def test_all_runs_of_constant_octets_are_known_in_lower_case(made):
    _, form = made_request(made)
    assert {b"scscf.mc", b"digest-a"} <= form.grams
    assert all(len(gram) == TELLING_OCTETS and gram in form.text for gram in form.grams)
    assert b"mig-" not in form.text, "identities are no constants"


def test_what_stands_twice_has_no_form(made):
    data = made.mar(made.partner, d.USER_NAME.encode("again@x"))
    assert not is_alike(locate(data))
    assert is_alike(locate(made.mar(made.partner, *[d.ROUTE_RECORD.encode("a.lab")] * 3)))


def test_forms_are_few_for_each_length_and_the_newest_are_kept(made):
    data, _ = made_request(made)
    forms, several = Forms(), [made_request(made, number=number)[1] for number in range(FORMS_MAX + 1)]
    for one in several:
        forms.add("peer", data, one)
    assert forms.of_peer("peer")[len(data)] == several[:0:-1]
    assert forms.of_peer("other") == {}
    forms.clear()
    assert forms.of_peer("peer") == {}


def test_lengths_are_few(made):
    forms = Forms()
    for length in range(LENGTHS_MAX + 1):
        forms.add("peer", bytes(length), made_request(made)[1])
    assert len(forms.of_peer("peer")) == LENGTHS_MAX
    assert 0 not in forms.of_peer("peer")


def test_a_form_of_the_same_constants_takes_the_place_of_another(made):
    data, first = made_request(made)
    forms, other, newest = Forms(), made_request(made)[1], made_request(made)[1]
    other.maps = False
    for one in (first, other, newest):
        forms.add("peer", data, one)
    assert forms.of_peer("peer")[len(data)] == [newest, other]


def test_few_are_learnt_of_a_peer_in_a_tick():
    forms = Forms()
    assert [forms.may_learn("a") for _ in range(LEARNT_A_TICK_MAX + 1)] == [True] * LEARNT_A_TICK_MAX + [False]
    assert forms.may_learn("b")
    forms.sweep()
    assert forms.may_learn("a")
