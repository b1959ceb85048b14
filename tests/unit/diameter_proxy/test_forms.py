"""A form is a message with holes: what goes in is compared, what goes out is put together."""

import pytest

from diameter_proxy.express import shows
from diameter_proxy.forms import (
    FORMS_MAX,
    LEARNT_A_TICK_MAX,
    LENGTHS_MAX,
    OPAQUE,
    PUBLIC,
    SERVER,
    SESSION,
    USER,
    Form,
    Forms,
)

DATA = b"head" + b"S1" + b"mid" + b"U1" + b"P1" + b"tail"
HOLES = [(4, 6, SESSION), (9, 11, USER), (11, 13, PUBLIC)]


def form():
    return Form(DATA, HOLES, [0])


def test_a_message_falls_into_constants_and_values():
    made, other = form(), b"head" + b"s2" + b"mid" + b"u2" + b"p2" + b"tail"
    values = made.values_of(other)
    assert made.constants_of(other) == made.constants == (b"head", b"mid", b"", b"tail")
    assert (values[made.session], values[made.user], values[made.public]) == (b"s2", b"u2", b"p2")


def test_another_constant_does_not_fit():
    made = form()
    assert made.constants_of(b"hEad" + DATA[4:]) != made.constants


OUT = b"\x01\0\0\x28\xc0\0\x01\x2f\x01\0\0\0" + bytes(8) + b"aaSSbbUUPPccII.."
PLACES = [(22, 24, SESSION), (26, 28, USER), (28, 30, PUBLIC), (32, 34, OPAQUE)]


def test_what_goes_out_has_the_new_values_and_its_own_length():
    made = form()
    made.leave(OUT, PLACES)
    for session in (b"SESSION", b"LONGER SESSION", b"SESSION"):
        filled = made.fill(b"hop!e2e!", session, b"USER", b"PUBLIC", b"head")
        assert filled[20:] == b"aa" + session + b"bbUSERPUBLICcchead.."
        assert int.from_bytes(filled[1:4], "big") == len(filled)
        assert (filled[4:12], filled[12:20]) == (OUT[4:12], b"hop!e2e!")


def test_a_value_that_is_left_out_the_next_time_is_not_there_again():
    made = form()
    made.leave(OUT, [*PLACES, (34, 36, SERVER)])
    with_server = made.fill(bytes(8), b"S", b"U", b"P", b"I", b"SERVER")
    without = made.fill(bytes(8), b"S", b"U", b"P", b"I")
    assert with_server.endswith(b"ccISERVER") and without.endswith(b"ccI")
    assert int.from_bytes(without[1:4], "big") == len(without)


CONSTANTS = b"..of nobody.."
LONG = b"user-part@domain"


@pytest.mark.parametrize(
    "constants, item, hidden, may",
    [
        (CONSTANTS, b"value", (LONG, b"sip:" + LONG), False),
        (b"..USER-PART..", b"value", (LONG,), True),
        (b"..user%2Dpart..", b"value", (LONG,), True),
        (CONSTANTS, b"..User-Part..", (LONG,), True),
        (CONSTANTS, b"..user%2dpart..", (LONG,), True),
        (CONSTANTS, b"..user-pa@domain..", (LONG,), False),
        (CONSTANTS, b"..user-parish..", (LONG,), True),  # only the octets that it begins with are looked for
        (CONSTANTS, b"..other-one@domain..", (LONG, b"sip:other-one@domain"), True),
        (CONSTANTS, b"..u@domain..", (b"u@domain",), True),
        (CONSTANTS, b"..u@other.domain..", (b"u@domain",), False),
        (CONSTANTS, b"value", (b"u@d",), True),  # too short to be told at a glance
    ],
)
def test_what_may_show_an_identity_is_never_taken_for_what_does_not(constants, item, hidden, may):
    data = constants + b"SSUUPPII"
    at = len(constants)
    holes = [(at, at + 2, SESSION), (at + 2, at + 4, USER), (at + 4, at + 6, PUBLIC), (at + 6, at + 8, OPAQUE)]
    made = Form(data, holes, [0])
    made.leave(OUT, PLACES)
    assert made.may_show(item, hidden) is may
    assert may or not shows(constants + item, hidden, ())


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
