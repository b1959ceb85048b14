"""The express lane learns from what went the whole way, and not from everything."""

import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import encode_avp, encode_message, walk_avps
from diameter_proxy.hot_path import LEARNT_OCTETS_MAX
from tests.unit.diameter_proxy.test_express_lane import P, PrimaryWay, S, Way, lent_set, partner, primary

LONG = (
    ("mig-partner7@ims.mc2.lab", "sip:mig-partner7@ims.mc2.lab"),
    ("mig-primary7@ims.mc1.lab", "sip:mig-primary7@ims.mc1.lab"),
)


@pytest.fixture
def way(made, new_wire):
    return Way(made, new_wire())


@pytest.fixture
def primary_way(made, new_wire):
    return PrimaryWay(made, new_wire())


def test_only_some_are_learnt_in_a_tick(way):
    for number in range(20):
        way.exchange(0, number, session="s" * (number + 1))
    way.exchange(0, 100, session="s" * 20)
    assert way.taken == 0
    way.proxy.sweep(way.now_s)
    way.exchange(0, 101, session="s" * 20)
    way.exchange(0, 102, session="s" * 20)
    assert way.taken == 1


def test_what_names_a_further_identity_is_not_learnt(way):
    wildcard = encode_avp(634, b"sip:mig-p0@ims.mc2.lab", 10415)
    for end_to_end, number in ((1, 0), (2, 1)):
        way.receive(S, way.made.mar(partner(number), wildcard, end_to_end=end_to_end))
    assert way.taken == 0


def test_what_was_left_out_for_one_user_is_learnt_for_none(way):
    """An AVP with the first one's name is left out of his request; that of the next one goes as it came."""
    stray = encode_avp(999, b"mig-partner7")
    mine, theirs = (tuple(text.encode() for text in texts) for texts in LONG)
    way.proxy.identities.apply(way.made.lent(binding="long", identities=mine, counterpart=theirs))
    other = ("mig-another7@ims.mc2.lab", "sip:mig-another7@ims.mc2.lab")
    way.proxy.identities.apply(way.made.lent(binding="other", identities=tuple(text.encode() for text in other)))
    ((_, out),) = way.receive(S, way.made.mar(LONG[0], stray, end_to_end=1))
    assert stray not in out
    ((_, out),) = way.receive(S, way.made.mar(other, stray, end_to_end=2))
    assert stray in out


def test_behind_an_agent_its_route_record_is_of_the_form(primary_way):
    record = d.ROUTE_RECORD.encode("agent.mc1.lab")
    for end_to_end in (1, 2):
        request = primary_way.made.mar(lent_set(0), record, end_to_end=end_to_end)
        ((_, out),) = primary_way.receive(P, request)
        assert (out.count(record), out.endswith(d.ROUTE_RECORD.encode(P))) == (1, True)
    assert primary_way.taken == 1


def test_forms_of_the_same_constants_take_each_others_place(way):
    """A user whose messages take the whole way for a reason of his own pushes nobody's forms out."""
    way.exchange(0, 1)
    way.proxy.identities.apply(way.lent(1, version=2, identities=(*octets(partner(1)), b"a@b")))  # too short to be told
    for end_to_end in range(2, 10):
        answered(way, asked(way, partner(1), end_to_end), primary(1))
    assert way.taken == 0
    way.exchange(2, 11)
    assert way.taken == 1


def octets(texts):
    return tuple(text.encode() for text in texts)


def answered(way, out, identities):
    way.receive(P, way.made.maa(Message.decode(out), identities))


def asked(way, identities, end_to_end):
    ((_, out),) = way.receive(S, way.made.mar(identities, end_to_end=end_to_end))
    return out


@pytest.mark.parametrize(
    "more",
    [
        d.PROXY_INFO.encode(d.PROXY_HOST.encode("agent.lab") + d.PROXY_STATE.encode(b"1")),
        encode_avp(636, b"sip:mig-p0@ims.mc2.lab", 10415),
        d.USER_NAME.encode("mig-p0@ims.mc2.lab"),
    ],
    ids=["Proxy-Info", "Wildcarded-IMPU", "a second User-Name"],
)
def test_what_is_not_of_the_common_case_is_not_learnt(way, more):
    for end_to_end in (1, 2, 3):
        way.receive(S, way.made.mar(partner(0), more, end_to_end=end_to_end))
    assert way.taken == 0


def test_an_answer_that_names_no_user_is_refused_each_time(way):
    for number, end_to_end in ((0, 1), (1, 2), (2, 3)):
        out = Message.decode(asked(way, partner(number), end_to_end))
        ((_, back),) = way.receive(P, without_user_name(way.made.maa(out, primary(number))))
        assert Message.decode(back).result()[1] != 2001
    assert way.proxy.counters.answers_relayed == 0


def without_user_name(message):
    avp = next(message[span.start : span.next] for span in walk_avps(message) if span.code == 1)
    octets = message.replace(avp, b"")
    return octets[:1] + len(octets).to_bytes(3, "big") + octets[4:]


def moved(message, *codes):
    """Return a message with these AVPs behind all others, in this order."""
    avps = {span.code: message[span.start : span.next] for span in walk_avps(message)}
    rest = [octets for code, octets in avps.items() if code not in codes]
    body = b"".join([*rest, *(avps[code] for code in codes)])
    return message[:1] + (20 + len(body)).to_bytes(3, "big") + message[4:20] + body


ORDERS = [(1, 601), (601, 1), (601, 612, 1), (1, 612, 601), (601, 263, 1), (1, 607, 612, 601), (612, 601, 1), (263,)]


@pytest.mark.parametrize("asked_order", [(601, 1), (1, 601), (1, 607, 601)])
@pytest.mark.parametrize("order", ORDERS)
def test_whatever_stands_between_both_identities_goes_back_in_its_order(made, new_wire, asked_order, order):
    backs = []
    for has_lane in (True, False):
        way = Way(made, new_wire(), has_lane=has_lane)
        for number in range(3):
            request = moved(made.mar(partner(number), end_to_end=number), *asked_order)
            ((_, out),) = way.receive(S, request)
            answer = made.maa(Message.decode(out), primary(number))
            ((_, back),) = way.receive(P, moved(answer, *order))
        ((_, again),) = way.receive(S, request)
        backs.append((back, again))
        assert way.taken == (2 if has_lane else 0)
    assert backs[0] == backs[1]


def test_a_long_message_is_not_learnt(way):
    """A form of it would take time and memory, for whoever sends long ones on purpose."""
    for end_to_end in range(3):
        long = encode_avp(99_999, bytes(LEARNT_OCTETS_MAX), 10415, 0)
        way.receive(S, way.made.mar(partner(1), long, end_to_end=end_to_end))
    assert way.taken == 0
    assert len(way.wire.sent) == 3


@pytest.mark.parametrize("count", [510, 511, 512])
def test_a_request_of_as_many_avps_as_may_be_is_answered_once(way, count):
    """What goes out has more of them; that is nobody's fault."""
    mar = way.made.mar(partner(1), end_to_end=1)
    known = [mar[span.start : span.next] for span in walk_avps(mar) if span.code not in (607, 602)]
    avps = [*known, *[encode_avp(99_999, b"", 10415, 0)] * (count - len(known))]
    sent = way.receive(S, encode_message(mar[4], 303, 16777216, 5, 1, avps))
    assert [(peer, octets[4] & 0x80) for peer, octets in sent] == [(P, 0x80)]
    assert way.proxy.counters.faults == 0
