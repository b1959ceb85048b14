"""A form is a message with holes: what goes in is compared, what goes out is put together."""

import pytest
from librt.strings import BytesWriter

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR, UAR
from diameter_proxy.diameter.message import Message, encode_request
from diameter_proxy.diameter.wire import encode_avp
from diameter_proxy.hot_path import (
    PUBLIC_IDENTITY,
    SESSION_ID,
    SIP_AUTH_DATA_ITEM,
    TELLING_OCTETS,
    USER_NAME,
    answer_form,
    answered,
    avp_at,
    inner_values,
    is_alike,
    locate,
    request_form,
    span_at,
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


def written(template, octets, number, *values, **more):
    out = BytesWriter()
    template.write(out, octets, number, *values, **more)
    return out.getvalue()


def test_a_message_falls_into_constants_and_values(made):
    data, form = made_request(made)
    other = made.mar(("mig-q@ims.mc2.lab", "sip:mig-q@ims.mc2.lab"), end_to_end=77, session="scscf.mc2.lab;3;4")
    assert form.fits(other) and form.fits(data) and form.fits_all(data + other)
    values = form.values_of(other)
    public, user = d.PUBLIC_IDENTITY.encode("sip:mig-q@ims.mc2.lab"), d.USER_NAME.encode("mig-q@ims.mc2.lab")
    assert values == (5, (77).to_bytes(4, "big"), b"scscf.mc2.lab;3;4\0\0\0", public + user)
    assert not form.user_first
    assert form.both_of(values) == (user, public)
    assert list(form.rows_of(other + data)) == [values, form.values_of(data)]
    assert form.octets_of(values) == other


def test_what_stands_between_both_identities_is_constant(made):
    """As in the grammar of TS 29.229 6.1.7, with Supported-Features after User-Name."""

    def message(identities, session):
        avps = [d.SESSION_ID.encode(session), d.USER_NAME.encode(identities[0]), encode_avp(628, b"abcd", 10415)]
        avps += [d.PUBLIC_IDENTITY.encode(identities[1]), RESYNC]
        return encode_request(MAR, end_to_end=1, avps=avps)

    data, out = message(made.partner, "scscf;1;2"), message(made.primary, OURS)
    form = request_form(data, locate(data), out, locate(out), DIGITS)
    user, public = d.USER_NAME.encode(made.partner[0]), d.PUBLIC_IDENTITY.encode(made.partner[1])
    assert form.is_split and form.user_first
    assert form.both_of(form.values_of(data)) == (user, public)
    assert form.octets_of(form.values_of(data)) == data
    users, publics = d.USER_NAME.encode("somebody@x"), d.PUBLIC_IDENTITY.encode("sip:somebody@x")
    octets = DIGITS + len(users) + len(publics) + len(RESYNC)
    expected = message(("somebody@x", "sip:somebody@x"), OURS)
    digits = OURS[-DIGITS:].encode()
    number = int.from_bytes(out[12:16], "big")
    assert written(form.out, octets, number, out[16:20], digits, users, publics, RESYNC) == expected


@pytest.mark.parametrize(
    "changes", [{"number": 2}, {"realm": "ims.mc3.lab"}, {"command": UAR}], ids=["number", "realm", "command"]
)
def test_another_constant_does_not_fit(made, changes):
    data, form = made_request(made)
    other = made.mar(**changes)
    assert len(other) == len(data)
    assert not form.fits(other)
    assert not form.fits_all(data * 3 + other)
    assert form.fits_all(data * 4)


def test_each_octet_is_a_value_or_compared(made):
    data, form = made_request(made, item=RESYNC)
    found = locate(data)
    spans = [(12, 20), span_at(data, found[SESSION_ID])[::2], *inner_values(data, found[SIP_AUTH_DATA_ITEM])]
    spans += [(found[slot], span_at(data, found[slot])[2]) for slot in (USER_NAME, PUBLIC_IDENTITY)]
    varying = {at for start, end in spans for at in range(start, end)}
    for at in range(len(data)):
        other = data[:at] + bytes((data[at] ^ 1 << at % 8,)) + data[at + 1 :]
        assert form.fits(other) is (at in varying), at
        assert form.fits_all(data + other + data) is (at in varying), at
        assert at not in varying or form.octets_of(form.values_of(other)) == other, at


def test_what_goes_out_has_the_new_values_and_its_own_length(made):
    _, form = made_request(made)
    user, public = d.USER_NAME.encode("somebody-else@x"), d.PUBLIC_IDENTITY.encode("sip:somebody-else@x")
    for number, session in ((0, b"1000000002"), (0xFFFFFFFF, b"2000000003")):
        octets = DIGITS + len(user) + len(public)
        out = written(form.out, octets, number, b"e2e!", session, public + user, b"")
        decoded = Message.decode(out)
        assert int.from_bytes(out[1:4], "big") == len(out)
        assert out[12:20] == number.to_bytes(4, "big") + b"e2e!"
        assert decoded.get(d.SESSION_ID) == OURS[:-DIGITS] + session.decode()
        assert (decoded.get(d.USER_NAME), decoded.get(d.PUBLIC_IDENTITY)) == ("somebody-else@x", "sip:somebody-else@x")


def test_a_vector_of_the_request_goes_out_with_it(made):
    data, form = made_request(made, item=RESYNC)
    assert form.has_values and not made_request(made)[1].has_values
    other = made.mar(item=RESYNC.replace(bytes(30), b"a" * 30))
    assert form.fits(other)
    assert form.values_of(other)[form.item_at] == avp_at(other, locate(other)[SIP_AUTH_DATA_ITEM])
    assert form.octets_of(form.values_of(other)) == other
    assert form.values_of(data)[form.item_at] == RESYNC


def test_no_value_stays_in_a_form(made):
    data, form = made_request(made, item=RESYNC.replace(bytes(30), b"k" * 30))
    assert form.octets_of(form.values_of(data)) == data
    assert b"k" * 30 not in form._model and b"mig-" not in form._model


def test_an_answer_keeps_its_item_and_gets_what_was_asked(made):
    asked = made.mar()
    data = made.maa(Message.decode(asked), made.primary)
    out = made.maa(Message.decode(asked), made.partner)
    form = answer_form(data, locate(data), out, locate(out))
    values = form.values_of(data)
    assert values[:2] == (int.from_bytes(data[12:16], "big"), data[16:20])
    assert form.user_first and form.out.user_first
    assert form.both_of(values) == (d.USER_NAME.encode(made.primary[0]), d.PUBLIC_IDENTITY.encode(made.primary[1]))
    item = values[form.item_at]
    assert item == avp_at(data, locate(data)[SIP_AUTH_DATA_ITEM])
    assert answered(form.out, asked, locate(asked), item) == out


def test_all_runs_of_constant_octets_are_known_in_lower_case(made):
    _, form = made_request(made)
    assert {b"scscf.mc", b"digest-a"} <= form.grams
    assert all(len(gram) == TELLING_OCTETS and gram in form.text for gram in form.grams)
    assert b"mig-" not in form.text, "identities are no constants"


def test_what_stands_twice_has_no_form(made):
    data = made.mar(made.partner, d.USER_NAME.encode("again@x"))
    assert not is_alike(locate(data))
    assert is_alike(locate(made.mar(made.partner, *[d.ROUTE_RECORD.encode("a.lab")] * 3)))
