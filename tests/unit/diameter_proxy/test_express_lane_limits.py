"""A peer that is limited takes the express lane too, and is refused what the whole way refuses it, then and there.

Runs on the hot path as it is here; ``test_hot_path`` has it run on plain Python too.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import FrameBuffer
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.permits import Permit
from diameter_proxy.routing import MAR, Source
from tests.unit.diameter_proxy.conftest import Made, Wire
from tests.unit.diameter_proxy.test_express_lane import P2, USERS, P, S, Way, partner, primary

S2 = "scscf2.mc2.lab"
HERE, ELSEWHERE = frozenset({b"ims.mc2.lab"}), frozenset({b"ims.mc9.lab"})


def limited(way, **limits):
    """Limit the S-CSCF, each named by its host; a second one may ask anything."""
    rows = [
        Neighbour(S, "ims.mc2.lab", Source.CSCF, permit=Permit(lambda: way.now_s, **limits)),
        Neighbour(S2, "ims.mc2.lab", Source.CSCF),
        *(Neighbour(peer, "ims.mc1.lab", Source.PARTNER, "mc1") for peer in (P, P2)),
    ]
    way.proxy.reconfigure(way.settings, Neighbours(rows, "ims.mc2.lab"))
    return way


def asked(way, numbers, first, peer=S):
    """Ask for vectors in one read; return what becomes of each: the code of its refusal, or 0 when it is passed on."""
    sent = way.receive(peer, *(Made.mar(partner(number), end_to_end=first + at) for at, number in enumerate(numbers)))
    codes = {}
    for to, message in [(to, Message.decode(one)) for to, octets in sent for one in FrameBuffer().receive_data(octets)]:
        codes[message.header.end_to_end] = message.result()[1] if to == peer else 0
    return [codes[first + at] for at in range(len(numbers))]


def test_a_burst_takes_the_lane_and_what_is_over_the_rate_is_refused():
    way = limited(Way(Made, Wire()), requests_per_s=2.0, burst=4)
    assert asked(way, [0], 1) == [0]
    assert asked(way, [1, 2, 3, 4, 5], 2) == [0, 0, 0, 3004, 3004]
    assert way.taken == 3
    way.now_s += 1.0
    assert asked(way, [1, 2, 3], 10) == [0, 0, 3004]
    assert way.taken == 5


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(0, 0.4), st.lists(st.integers(0, USERS - 1), min_size=1, max_size=6), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_the_bucket_is_as_full_with_and_without_the_lane(reads):
    ways = [
        limited(Way(Made, Wire(), has_lane=has_lane), requests_per_s=10.0, burst=5, commands=frozenset({MAR}))
        for has_lane in (True, False)
    ]
    first = 1
    for passed_s, numbers, is_partner_gone in reads:
        for way in ways:
            way.now_s += passed_s
            way.wire.closed = {P, P2} if is_partner_gone else set()
        became = [asked(way, numbers, first) for way in ways]
        assert became[0] == became[1]
        first += len(numbers)
    whole = ways[1].proxy.neighbours.by_host[S].permit
    assert ways[0].proxy.neighbours.by_host[S].permit._tokens == pytest.approx(whole._tokens)


def test_with_no_open_partner_one_token_is_taken_for_each():
    """The lane leaves it to the whole way to say why not, which takes a token itself."""
    way = limited(Way(Made, Wire()), requests_per_s=1.0, burst=3)
    assert asked(way, [0], 1) == [0]
    way.wire.closed = {P, P2}
    assert asked(way, [1], 2) == [3002]
    way.wire.closed = set()
    assert asked(way, [2, 3], 3) == [0, 3004]


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"identity_domains": HERE, "origin_realms": HERE, "commands": frozenset({MAR})}, 0),
        ({"identity_domains": ELSEWHERE}, 5003),
        ({"origin_realms": ELSEWHERE}, 5003),
        ({"commands": frozenset({300})}, 3001),
    ],
)
def test_an_allow_list_holds_for_each_request(limits, code):
    way = limited(Way(Made, Wire()), **limits)
    assert [asked(way, [number], number + 1) for number in range(3)] == [[code]] * 3
    assert way.taken == (0 if code else 2)


@pytest.mark.parametrize("is_public", [True, False])
def test_a_user_of_another_domain_is_refused_though_the_lane_knows_such_requests(is_public):
    """Also when he has come by from a peer that may ask for anybody."""
    way = limited(Way(Made, Wire()), identity_domains=HERE)
    user, public = partner(1)
    other = user if is_public else user.replace("mc2", "mc9"), public.replace("mc2", "mc9") if is_public else public
    way.proxy.identities.apply(
        Made.lent(
            binding="b9",
            version=9,
            identities=tuple(text.encode() for text in other),
            counterpart=tuple(text.encode() for text in primary(1)),
        )
    )
    for first, peer in ((1, S2), (10, S)):
        for number in (0, 2, 3):
            assert asked(way, [number], first + number, peer) == [0]
    before = way.taken
    request = [Made.mar(other, end_to_end=end_to_end) for end_to_end in (20, 21)]
    ((to, _),) = way.receive(S2, request[0])
    assert to == P
    ((to, octets),) = way.receive(S, request[1])
    assert (to, Message.decode(octets).result()) == (S, (0, 5003))
    assert way.taken == before + 1
