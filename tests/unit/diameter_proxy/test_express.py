"""A form is a message with holes: what goes in is compared, what goes out is put together."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.express import (
    FORMS_MAX,
    LEARNT_A_TICK_MAX,
    LENGTHS_MAX,
    PUBLIC,
    SESSION,
    USER,
    Form,
    Forms,
    is_current,
    public_identity_avp,
    shows,
    user_name_avp,
    with_identities,
)
from diameter_proxy.identity_map import IdentityMap

DATA = b"head" + b"S1" + b"mid" + b"U1" + b"P1" + b"tail"
HOLES = [(4, 6, SESSION), (9, 11, USER), (11, 13, PUBLIC)]


def form():
    return Form(DATA, HOLES, [0])


def test_a_message_falls_into_constants_and_values():
    made = form()
    parts = made.unpack(b"head" + b"s2" + b"mid" + b"u2" + b"p2" + b"tail")
    assert parts[::2] == made.constants == (b"head", b"mid", b"", b"tail")
    assert (parts[made.session], parts[made.user], parts[made.public]) == (b"s2", b"u2", b"p2")


def test_another_constant_does_not_fit():
    made = form()
    assert made.unpack(b"hEad" + DATA[4:])[::2] != made.constants


def test_what_goes_out_has_the_new_values_and_its_own_length():
    made = form()
    out = b"\x01\0\0\x28\xc0\0\x01\x2f\x01\0\0\0" + bytes(8) + b"aaSSbbUUPPccII.."
    made.leave(out, [(22, 24, SESSION), (26, 28, USER), (28, 30, PUBLIC), (32, 34, "opaque")])
    made.item_from, made.item_end = 0, 4
    filled = made.fill(DATA, 7, b"e2e!", b"SESSION", b"USER", b"PUBLIC")
    assert filled[20:] == b"aaSESSIONbbUSERPUBLICcchead.."
    assert int.from_bytes(filled[1:4], "big") == len(filled)
    assert (filled[4:12], filled[12:16], filled[16:20]) == (out[4:12], b"\0\0\0\x07", b"e2e!")


def test_forms_are_few_for_each_length_and_the_newest_are_kept():
    forms, made = Forms(), [form() for _ in range(FORMS_MAX + 1)]
    for one in made:
        forms.add("peer", DATA, one)
    assert forms.of_peer("peer")[len(DATA)] == made[:0:-1]
    assert forms.of_peer("other") == {}
    forms.clear()
    assert forms.of_peer("peer") == {}


def test_lengths_are_few():
    forms = Forms()
    for length in range(LENGTHS_MAX + 1):
        forms.add("peer", bytes(length), form())
    assert len(forms.of_peer("peer")) == LENGTHS_MAX
    assert 0 not in forms.of_peer("peer")


def test_few_are_learnt_in_a_tick():
    forms = Forms()
    assert [forms.may_learn() for _ in range(LEARNT_A_TICK_MAX + 1)] == [True] * LEARNT_A_TICK_MAX + [False]
    forms.sweep()
    assert forms.may_learn()


@pytest.mark.parametrize("length", range(1, 9))
def test_identities_are_encoded_as_the_dictionary_does(length):
    text = "u" * length
    assert user_name_avp(text.encode()) == d.USER_NAME.encode(text)
    assert public_identity_avp(text.encode()) == d.PUBLIC_IDENTITY.encode(text)


@pytest.mark.parametrize(
    "message, hidden, but, is_shown",
    [
        (b"..a@b..", (b"a@b", b"sip:a@b"), (), True),
        (b"..a@c..", (b"a@b", b"sip:a@b"), (), False),
        (b"..x@b..", (b"a@b", b"sip:x@b"), (), True),
        (b"..a@b..", (b"a@b", b"sip:a@b"), (b"a@b", b"sip:a@b"), False),
        (b"..5..", (b"a@b", b"tel:5"), (), True),
    ],
)
def test_an_identity_is_seen_wherever_it_stands(message, hidden, but, is_shown):
    assert shows(message, hidden, but) is is_shown


def asked(made, user, public):
    parts = [b""] * 7
    parts[made.user], parts[made.public] = user, public
    return tuple(parts)


def test_identities_are_exchanged_by_position(made):
    lent, one = made.lent(), form()
    user, public = lent.identities
    assert with_identities(one, asked(one, user, public), lent) == lent.counterpart
    assert with_identities(one, asked(one, public, public), lent) is None


def test_only_sip_is_exchanged(made):
    one = form()
    lent = made.lent(
        identities=(b"u@d", b"sip:u@d", b"tel:1", b"sip:v@d"), counterpart=(b"h@d", b"tel:2", b"tel:1", b"sip:w@d")
    )
    for public, expected in ((b"sip:u@d", None), (b"tel:1", None), (b"sip:v@d", (b"h@d", b"sip:w@d"))):
        assert with_identities(one, asked(one, b"u@d", public), lent) == expected


def test_a_binding_is_current_while_it_is_the_same_and_in_time(made):
    identities, lent = IdentityMap(), made.lent()
    identities.apply(lent)
    assert is_current(identities, lent, 50.0)
    assert not is_current(identities, lent, 100.0)
    identities.apply(made.lent(version=2))
    assert not is_current(identities, lent, 50.0)
