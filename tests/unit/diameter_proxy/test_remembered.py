"""What the express lane has answered is answered again with the same octets, and only to the very same request."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import FrameBuffer, with_flags, with_hop_by_hop
from tests.unit.diameter_proxy.conftest import Made, Wire
from tests.unit.diameter_proxy.test_express_lane import USERS, P, PrimaryWay, S, Way, lent_set, partner, primary

SCHEME = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
AUTS = d.SIP_AUTH_DATA_ITEM.encode(SCHEME + d.SIP_AUTHORIZATION.encode(b"a" * 30))
OTHER_AUTS = d.SIP_AUTH_DATA_ITEM.encode(SCHEME + d.SIP_AUTHORIZATION.encode(b"b" * 30))


def apart(sent):
    """Return the messages that went to each peer, each by itself."""
    return [(peer, message) for peer, octets in sent for message in FrameBuffer().receive_data(octets)]


@pytest.fixture
def way(made, new_wire):
    way = Way(made, new_wire())
    way.exchange(0, 1)
    return way


def test_each_of_one_read_is_given_again_as_it_was(way):
    requests = [way.made.mar(partner(number), end_to_end=100 + number) for number in range(5)]
    outs = [out for _, out in apart(way.receive(S, *requests))]
    answers = [way.made.maa(Message.decode(out), primary(number)) for number, out in enumerate(outs)]
    backs = apart(way.receive(P, *answers))
    assert way.taken == 5
    for number in (3, 0, 4, 1, 2):
        again = way.receive(S, with_hop_by_hop(requests[number], 0x0A0B0C0D))
        assert again == [(S, with_hop_by_hop(backs[number][1], 0x0A0B0C0D))]
    assert way.proxy.counters.duplicates_answered == 5
    assert way.proxy.pending_count == 0


@pytest.mark.parametrize("what", ["scscf.mc2.lab;1;2", "mig-p1@", "sip:mig-p1@", "scscf.mc2.lab", "Digest-AKAv1"])
def test_what_differs_in_one_field_is_another_request(way, what):
    way.exchange(1, 2)
    octets = what.encode()
    request = way.made.mar(partner(1), end_to_end=2)
    assert octets in request
    sent = way.receive(S, request.replace(octets, octets[:-1] + b"X"))
    assert way.proxy.counters.duplicates_answered == 0
    assert sent, "it is asked, or refused"
    assert way.receive(S, request)[0][0] == S
    assert way.proxy.counters.duplicates_answered == 1


def test_another_auts_is_another_request(way):
    for end_to_end in (2, 3):
        way.exchange(1, end_to_end, item=AUTS)
    assert way.taken == 1
    request = way.made.mar(partner(1), item=AUTS, end_to_end=3)
    assert [peer for peer, _ in way.receive(S, request)] == [S]
    assert [peer for peer, _ in way.receive(S, request.replace(AUTS, OTHER_AUTS))] == [P]
    assert way.proxy.counters.duplicates_answered == 1


def test_an_answer_that_nobody_could_take_is_given_when_it_is_asked_again(way):
    request = way.made.mar(partner(1), end_to_end=2)
    ((_, out),) = way.receive(S, request)
    way.wire.closed.add(S)
    way.receive(P, way.made.maa(Message.decode(out), primary(1)))
    way.wire.closed.clear()
    ((peer, back),) = way.receive(S, request)
    assert (peer, Message.decode(back).result()) == (S, (0, 2001))
    assert way.proxy.counters.duplicates_answered == 1


def test_a_vector_with_the_e_bit_set_is_given_again_too(way):
    for end_to_end, number in ((2, 1), (3, 2)):
        request = way.made.mar(partner(number), end_to_end=end_to_end)
        ((_, out),) = way.receive(S, request)
        way.receive(P, with_flags(way.made.maa(Message.decode(out), primary(number)), 0x60))
    assert [peer for peer, _ in way.receive(S, request)] == [S]
    assert way.proxy.counters.duplicates_answered == 1


ROWS = st.lists(
    st.tuples(st.integers(0, USERS - 1), st.booleans(), st.booleans(), st.integers(1, 3)), min_size=2, max_size=10
)


@pytest.mark.parametrize(("kind", "peer"), [(Way, S), (PrimaryWay, P)], ids=["partner", "primary"])
@settings(deadline=None, derandomize=True, max_examples=40)
@given(rows=ROWS)
def test_with_and_without_the_lane_the_same_is_given_again(kind, peer, rows):
    ways = [kind(Made, Wire(), has_lane=has_lane) for has_lane in (True, False)]
    told = []
    for way in ways:
        identities = partner if kind is Way else lent_set
        for end_to_end, (number, is_resync, is_longer, _) in enumerate(rows):
            way.exchange(number, end_to_end, item=AUTS if is_resync else None, session=_session(is_longer))
        told.append(
            [
                way.receive(
                    peer,
                    way.made.mar(
                        identities(number),
                        item=(AUTS, OTHER_AUTS)[which > 2] if is_resync else None,
                        end_to_end=end_to_end,
                        session=_session(is_longer),
                    ),
                )
                for end_to_end, (number, is_resync, is_longer, which) in enumerate(rows)
            ]
        )
    with_lane, without = ways
    assert _without_numbers(told[0]) == _without_numbers(told[1])
    assert with_lane.proxy.counters.duplicates_answered == without.proxy.counters.duplicates_answered


def _session(is_longer):
    return f"scscf.mc2.lab;{10 if is_longer else 1};7"


def _without_numbers(told):
    """Leave out Hop-by-Hop Identifiers of what is asked, for those of two connections differ."""
    return [
        [(peer, octets[:12] + octets[16:] if octets[4] & 0x80 else octets) for peer, octets in sent] for sent in told
    ]
