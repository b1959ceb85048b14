"""The express lane leaves the same octets as the whole way, and takes nothing that has not the common answer.

Runs on the hot path as it is here; ``test_hot_path`` has it run on plain Python too.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import encode_avp
from diameter_proxy.peers import Neighbour, Neighbours
from diameter_proxy.proxy import Proxy
from diameter_proxy.routing import Source
from diameter_proxy.settings import Settings

S, P, P2 = "scscf.mc2.lab", "proxy1.mc1.lab", "proxy2.mc1.lab"
USERS = 6


def partner(number):
    return f"mig-p{number}@ims.mc2.lab", f"sip:mig-p{number}@ims.mc2.lab"


def primary(number):
    text = f"mig-h{number}{'x' * number}@ims.mc1.lab"
    return text, "sip:" + text


class Way:
    """A proxy with and without its lane, on a wire that keeps what is sent."""

    def __init__(self, made, wire, *, has_lane=True, **changes):
        self.made, self.wire, self.has_lane = made, wire, has_lane
        self.now_s, self.wall_s = 10.0, 50.0
        self.used = []
        fields = {"home_domains": frozenset({b"ims.mc2.lab"}), "secret": b"s" * 32, "server_name": "sip:s1"}
        self.settings = Settings("proxy1.mc2.lab", "ims.mc2.lab", **{**fields, **changes})
        self.proxy = Proxy(
            self.settings,
            made.neighbours(),
            wire,
            used=self.used.append,
            clock=lambda: self.now_s,
            wall_clock=lambda: self.wall_s,
        )
        identities = self.proxy.identities
        identities.set_range("ims.mc2.lab", "mig-")
        identities.refreshed(10.0)
        for number in range(USERS):
            identities.apply(self.lent(number))

    def lent(self, number, **changes):
        fields = {
            "binding": f"b{number}",
            "identities": tuple(text.encode() for text in partner(number)),
            "counterpart": tuple(text.encode() for text in primary(number)),
        }
        return self.made.lent(**{**fields, **changes})

    @property
    def taken(self):
        return self.proxy.lane.taken

    def receive(self, peer, *messages):
        """Hand over a read as the node does; return what was sent because of it."""
        before = len(self.wire.sent)
        rest = self.proxy.receive(peer, in_runs(messages)) if self.has_lane else list(messages)
        for octets in rest:
            if octets[4] & 0x80:
                self.proxy.receive_request(peer, octets)
            else:
                self.proxy.receive_answer(peer, octets)
        return self.wire.sent[before:]

    def exchange(self, number, end_to_end, *, item=None, vector=None, session="scscf.mc2.lab;1;2"):
        """Have one user's MAR and MAA pass; return what left on both legs, the request's Hop-by-Hop aside."""
        request = self.made.mar(partner(number), item=item, end_to_end=end_to_end, session=session)
        ((_, out),) = self.receive(S, request)
        answer = self.made.maa(Message.decode(out), primary(number), item=vector)
        ((_, back),) = self.receive(P, answer)
        return out[:12] + out[16:], back


def in_runs(messages):
    """Return messages as a node hands them over: what is equally long, one after the other, is one run."""
    runs = []
    for message in messages:
        assert int.from_bytes(message[1:4], "big") == len(message), "nothing else comes out of a stream of octets"
        if runs and runs[-1][1:4] == message[1:4]:
            runs[-1] += message
        else:
            runs.append(message)
    return runs


@pytest.fixture
def way(made, new_wire):
    return Way(made, new_wire())


def test_the_second_of_a_kind_is_taken_whoever_it_is_for(way):
    way.exchange(0, 1)
    assert way.taken == 0
    way.exchange(1, 2)
    assert way.taken == 1
    assert way.proxy.pending_count == 0
    assert way.proxy.counters.answers_relayed == 2
    assert way.proxy.counters.requests == {(S, "cscf", 303): 2}
    assert way.proxy.counters.answers == {(P, 303, 2001): 2}
    assert way.proxy.counters.routed == {"PARTNER": 2}


VECTORS = st.tuples(st.binary(min_size=32, max_size=32), st.binary(min_size=4, max_size=16), st.binary(max_size=30))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, USERS - 1), VECTORS, st.booleans(), st.booleans()), min_size=2, max_size=8))
def test_the_same_octets_leave_with_and_without_the_lane(rows):
    from tests.unit.diameter_proxy.conftest import Made, Wire

    with_lane, without = Way(Made, Wire()), Way(Made, Wire(), has_lane=False)
    for end_to_end, (number, (authenticate, xres, auts), is_resync, is_longer) in enumerate(rows):
        scheme = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
        asked = scheme + (d.SIP_AUTHORIZATION.encode(auts) if is_resync else b"")
        vector = Made.vector(
            d.SIP_ITEM_NUMBER.encode(1),
            scheme,
            d.SIP_AUTHENTICATE.encode(authenticate),
            d.SIP_AUTHORIZATION.encode(xres),
        )
        values = {
            "item": d.SIP_AUTH_DATA_ITEM.encode(asked),
            "vector": vector,
            "session": f"scscf.mc2.lab;{10 if is_longer else 1};{end_to_end}",
        }
        assert with_lane.exchange(number, end_to_end, **values) == without.exchange(number, end_to_end, **values)


@pytest.mark.parametrize(
    "changes",
    [{"enabled": False}, {"not_after_s": 1.0}, {"other_mc_system": "mc3"}, {"counterpart": (b"a@b",)}],
    ids=["disabled", "expired", "another system", "no counterpart"],
)
def test_what_has_another_answer_takes_the_whole_way(way, changes):
    way.exchange(0, 1)
    way.proxy.identities.apply(way.lent(1, version=2, **changes))
    way.receive(S, way.made.mar(partner(1), end_to_end=2))
    assert way.taken == 0
    assert Message.decode(way.wire.sent[-1][1]).header.flags & 0x80 == 0, "refused by us"


@pytest.mark.parametrize(
    "message",
    [
        lambda way: way.made.mar((partner(1)[0], partner(2)[1]), end_to_end=2),
        lambda way: way.made.mar(("mig-zz@ims.mc2.lab", "sip:mig-zz@ims.mc2.lab"), end_to_end=2),
        lambda way: way.made.mar(partner(1), encode_avp(1, b"mig-p2@ims.mc2.lab"), end_to_end=2),
        lambda way: way.made.mar(partner(1), end_to_end=2, realm="ims.mc9.lab"),
        lambda way: way.made.mar(partner(1), end_to_end=2, number=7),
        lambda way: way.made.mar(partner(1), encode_avp(634, b"sip:mig-p2@ims.mc2.lab", 10415), end_to_end=2),
    ],
    ids=["two sets", "unbound", "a second User-Name", "another realm", "another number of items", "a wildcard"],
)
def test_what_does_not_fit_takes_the_whole_way(way, message):
    way.exchange(0, 1)
    way.receive(S, message(way))
    assert way.taken == 0


def test_a_map_too_old_takes_the_whole_way(way):
    way.exchange(0, 1)
    way.now_s += 301
    way.receive(S, way.made.mar(partner(1), end_to_end=2))
    assert way.taken == 0


def test_a_repeated_request_is_answered_from_memory_not_sent_again(way):
    way.exchange(0, 1)
    way.exchange(1, 2)
    sent = way.receive(S, way.made.mar(partner(1), end_to_end=2))
    assert [peer for peer, _ in sent] == [S]
    assert way.proxy.counters.duplicates_answered == 1


def test_a_repeated_request_that_is_under_way_joins_it(way):
    way.exchange(0, 1)
    request = way.made.mar(partner(1), end_to_end=2)
    ((_, out),) = way.receive(S, request)
    assert way.receive(S, request) == []
    answers = way.receive(P, way.made.maa(Message.decode(out), primary(1)))
    assert [peer for peer, _ in answers] == [S, S]


def test_a_silent_peer_has_an_alternate_and_a_deadline(way):
    way.exchange(0, 1)
    way.receive(S, way.made.mar(partner(1), end_to_end=2))
    assert way.taken == 1
    before = len(way.wire.sent)
    while way.now_s < 12.0:
        way.now_s += 0.05
        way.proxy.sweep(way.now_s)
    (again, resent), (last, refused) = way.wire.sent[before:]
    assert (again, resent[4] & 0x10, last) == (P2, 0x10, S)
    assert Message.decode(refused).result() == (0, 3002)


def test_a_closed_or_congested_peer_is_passed_over(way):
    way.exchange(0, 1)
    way.wire.closed.add(P)
    ((peer, _),) = way.receive(S, way.made.mar(partner(1), end_to_end=2))
    assert (peer, way.taken) == (P2, 1)
    way.wire.closed.add(P2)
    ((peer, refused),) = way.receive(S, way.made.mar(partner(2), end_to_end=3))
    assert (peer, Message.decode(refused).result()) == (S, (0, 3002))


def test_a_connection_that_goes_within_a_read_keeps_nobody_waiting(way):
    """What it did not take goes to the other proxy at once, without T; with no other, it is answered at once."""
    way.exchange(0, 1)
    way.wire.is_ready = lambda _peer: True
    way.wire.closed.add(P)
    requests = [way.made.mar(partner(number), end_to_end=number + 1) for number in (1, 2)]
    sent = way.receive(S, *requests)
    assert ([peer for peer, _ in sent], way.taken) == ([P2, P2], 2)
    assert [octets[4] & 0x10 for _, octets in sent] == [0, 0]
    ((peer, _),) = way.receive(P2, way.made.maa(Message.decode(sent[0][1]), primary(1)))
    assert peer == S
    way.wire.closed.add(P2)
    ((peer, refused),) = way.receive(S, way.made.mar(partner(3), end_to_end=9))
    assert (peer, Message.decode(refused).result()) == (S, (0, 3002))
    assert way.proxy.pending_count == 1
    way.wire.closed.add(S)
    assert way.receive(P2, way.made.maa(Message.decode(sent[1][1]), primary(2))) == []
    assert (way.proxy.counters.answers_undeliverable, way.proxy.pending_count) == (1, 0)


def test_many_in_one_read_leave_in_one_write_each_with_its_own_number(way):
    way.exchange(0, 1)
    ((peer, octets),) = way.receive(S, *(way.made.mar(partner(number), end_to_end=number) for number in (2, 3, 4)))
    numbers = set()
    while octets:
        length = int.from_bytes(octets[1:4], "big")
        numbers.add(octets[12:16])
        octets = octets[length:]
    assert (peer, len(numbers), way.taken) == (P, 3, 3)


def test_an_identity_that_hides_elsewhere_takes_the_whole_way(way):
    """Session-Id is hidden anyway; in the vector's own values nobody looks for it but this."""
    way.exchange(0, 1)
    hidden = b"mig-p1@ims.mc2.lab".ljust(32, b".")
    item = way.made.vector(
        d.SIP_ITEM_NUMBER.encode(1),
        d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5"),
        d.SIP_AUTHENTICATE.encode(b"mig-h1x@ims.mc1.lab".ljust(32, b".")),
        d.SIP_AUTHORIZATION.encode(bytes(8)),
    )
    ((_, out),) = way.receive(S, way.made.mar(partner(1), end_to_end=2))
    ((_, back),) = way.receive(P, way.made.maa(Message.decode(out), primary(1), item=item))
    assert b"mig-h1x" not in back
    assert hidden not in back


def test_a_reload_has_the_next_one_go_the_whole_way(way):
    way.exchange(0, 1)
    way.proxy.reconfigure(way.settings, way.made.neighbours())
    way.exchange(1, 2)
    assert way.taken == 0
    way.exchange(2, 3)
    assert way.taken == 1


def test_one_who_is_traced_is_seen_whole(way):
    way.exchange(0, 1)
    way.proxy.tracer.follow("nobody@ims.mc2.lab", 10.0, lambda line: None)
    way.exchange(1, 2)
    assert way.taken == 0


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.data())
def test_a_mutated_message_leaves_what_it_leaves_without_the_lane(data):
    """Octets of a MAR and a MAA are exchanged at random, headers, lengths and padding included; a few are values."""
    from tests.unit.diameter_proxy.conftest import Made, Wire

    with_lane, without = Way(Made, Wire()), Way(Made, Wire(), has_lane=False)
    ways = (with_lane, without)
    stray = encode_avp(999, b"x" * data.draw(st.integers(0, 5)))  # padding of each length
    for one in ways:
        for number in (0, 1):
            ((_, out),) = one.receive(S, Made.mar(partner(number), stray, end_to_end=number))
            one.receive(P, Made.maa(Message.decode(out), primary(number), stray))
    mar = mutated(data, Made.mar(partner(2), stray, end_to_end=7))
    sent = [one.receive(S, mar) for one in ways]
    assert [bare(row) for row in sent[0]] == [bare(row) for row in sent[1]]
    if not sent[0] or sent[0][0][0] != P:
        return
    number, draws = data.draw(st.sampled_from([2, 2, 2, 3])), None
    for one, ((_, out),) in zip(ways, sent, strict=True):
        maa = Made.maa(Message.decode(out), primary(number), stray)
        draws = drawn(data, maa) if draws is None else draws
        one.now_s += 0.01
        one.back = one.receive(P, changed(maa, draws))
    assert with_lane.back == without.back
    assert with_lane.proxy.pending_count == without.proxy.pending_count


def mutated(data, octets):
    return changed(octets, drawn(data, octets))


def drawn(data, octets):
    """Draw up to three changes of one octet, none in the length of the message: the node reads by it."""
    places = st.integers(4, len(octets) - 1).filter(lambda at: not 12 <= at < 16)
    return data.draw(st.lists(st.tuples(places, st.sampled_from([0x01, 0x10, 0x20, 0x80, 0xFF])), max_size=3))


def changed(octets, draws):
    out = bytearray(octets)
    for at, bits in draws:
        out[at] ^= bits
    return bytes(out)


def bare(sent):
    """Return what was sent without its Hop-by-Hop: how many numbers were drawn before is no matter."""
    peer, octets = sent
    return peer, octets[:12] + octets[16:]


HSS, HSS_2 = "hss.mc2.lab", "hss-b.mc2.lab"


def lent_set(number):
    text = f"mig-l{number}{'y' * (number == 3)}@ims.mc2.lab"
    return text, "sip:" + text


def home(number):
    return f"00101{number}@ims.mc2.lab", f"sip:+4670{number}@ims.mc2.lab"


class PrimaryWay(Way):
    """The primary system's proxy: sets lent to mc1, each second of them provisioned in the HSS itself."""

    def lent(self, number, **changes):
        fields = {
            "binding": f"b{number}",
            "is_primary": True,
            "identities": tuple(text.encode() for text in lent_set(number)),
            "counterpart": tuple(text.encode() for text in home(number)),
            "provisioned": number % 2 == 0,
        }
        return self.made.lent(**{**fields, **changes})

    def known(self, number):
        """Return the identities by which the HSS knows a user."""
        return lent_set(number) if number % 2 == 0 and not self.settings.hss_as_default else home(number)

    def exchange(self, number, end_to_end, *, item=None, vector=None, session="proxy1.mc1.lab;1;2"):
        request = self.made.mar(lent_set(number), item=item, end_to_end=end_to_end, session=session)
        ((peer, out),) = self.receive(P, request)
        answer = self.made.maa(Message.decode(out), self.known(number), item=vector)
        ((_, back),) = self.receive(peer, answer)
        return out[:12] + out[16:], back


@pytest.fixture
def primary_way(made, new_wire):
    return PrimaryWay(made, new_wire())


def test_at_the_primary_the_second_of_a_kind_is_taken_whoever_it_is_for(primary_way):
    for end_to_end, number in enumerate((0, 1, 4, 5, 4)):
        primary_way.exchange(number, end_to_end)
    assert primary_way.taken == 3, "one that the HSS knows, one that it does not, and their likes"
    assert primary_way.proxy.pending_count == 0
    assert primary_way.used == ["b0", "b1", "b4", "b5", "b4"]
    assert primary_way.proxy.counters.requests == {(P, "partner", 303): 5}
    assert primary_way.proxy.counters.answers == {(HSS, 303, 2001): 5}
    assert primary_way.proxy.counters.routed == {"HSS_AS_KNOWN": 5}


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, USERS - 1), VECTORS, st.booleans(), st.booleans()), min_size=2, max_size=8),
    st.sampled_from([{}, {"hss_as_default": True}, {"server_name": ""}, {"prime_with_uar": False}]),
)
def test_the_same_octets_leave_for_the_hss_with_and_without_the_lane(rows, changes):
    """Users whose set the HSS knows, and users for whom it is asked for the default set; some with a learnt S-CSCF."""
    from tests.unit.diameter_proxy.conftest import Made, Wire

    ways = (PrimaryWay(Made, Wire(), **changes), PrimaryWay(Made, Wire(), has_lane=False, **changes))
    for end_to_end, (number, (authenticate, xres, auts), is_resync, is_learnt) in enumerate(rows):
        scheme = d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5")
        vector = Made.vector(
            d.SIP_ITEM_NUMBER.encode(1),
            scheme,
            d.SIP_AUTHENTICATE.encode(authenticate),
            d.SIP_AUTHORIZATION.encode(xres),
        )
        asked = scheme + (d.SIP_AUTHORIZATION.encode(auts) if is_resync else b"")
        for way in ways:
            if is_learnt:
                name = d.SERVER_NAME.encode(f"sip:scscf{number}.mc2.lab")
                way.proxy.server_names.learn(home(number)[0].encode(), name)
        values = {"item": d.SIP_AUTH_DATA_ITEM.encode(asked), "vector": vector}
        sent = [way.exchange(number, end_to_end, **values) for way in ways]
        assert sent[0] == sent[1]


@settings(deadline=None, derandomize=True, max_examples=150)
@given(st.data())
def test_a_mutated_message_leaves_for_the_hss_what_it_leaves_without_the_lane(data):
    from tests.unit.diameter_proxy.conftest import Made, Wire

    ways = (PrimaryWay(Made, Wire()), PrimaryWay(Made, Wire(), has_lane=False))
    for way in ways:
        way.exchange(1, 1)
        way.exchange(0, 2)
    number = data.draw(st.sampled_from([3, 0]))
    mar = mutated(data, Made.mar(lent_set(number), end_to_end=7, session="proxy1.mc1.lab;1;2"))
    sent = [way.receive(P, mar) for way in ways]
    assert [bare(row) for row in sent[0]] == [bare(row) for row in sent[1]]
    if not sent[0] or sent[0][0][0] != HSS:
        return
    changes = None
    for way, ((_, out),) in zip(ways, sent, strict=True):
        maa = Made.maa(Message.decode(out), way.known(number))
        changes = drawn(data, maa) if changes is None else changes
        way.back = way.receive(HSS, changed(maa, changes))
    assert ways[0].back == ways[1].back
    assert ways[0].proxy.pending_count == ways[1].proxy.pending_count


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"not_after_s": 1.0},
        {"other_mc_system": "mc3"},
        {"is_primary": False},
        {"counterpart": (b"a@b",)},
    ],
    ids=["disabled", "expired", "lent to another system", "lent by us to a user", "no counterpart"],
)
def test_at_the_primary_what_has_another_answer_takes_the_whole_way(primary_way, changes):
    primary_way.exchange(1, 1)
    primary_way.proxy.identities.delete("b5", 2)
    primary_way.proxy.identities.apply(primary_way.lent(5, version=3, **changes))
    primary_way.receive(P, primary_way.made.mar(lent_set(5), end_to_end=2, session="proxy1.mc1.lab;1;2"))
    assert primary_way.taken == 0
    assert Message.decode(primary_way.wire.sent[-1][1]).header.flags & 0x80 == 0, "refused by us"


def test_an_hss_that_wants_a_uar_first_has_no_lane(made, new_wire):
    way = PrimaryWay(made, new_wire(), prime_with_uar=True, visited_network="mc2")
    ((peer, uar),) = way.receive(P, made.mar(lent_set(0), end_to_end=1))
    ((_, mar),) = way.receive(peer, made.maa(Message.decode(uar), lent_set(0)))
    assert Message.decode(mar).header.command_code == 303
    for end_to_end in (2, 3):
        way.receive(P, made.mar(lent_set(0), end_to_end=end_to_end))
    assert (way.taken, len(way.wire.sent)) == (0, 4)


def test_where_names_are_hidden_from_a_peer_there_is_no_lane(made, new_wire):
    """They are hidden and restored where messages enter and leave the whole way."""
    way = PrimaryWay(made, new_wire(), hiding_keys=(b"k" * 32,), hiding_domains=(b"mc2.lab",))
    rows = way.proxy.neighbours.by_host.values()
    rows = [replace(row, hides_names=row.host == HSS) for row in rows]
    way.proxy.reconfigure(way.settings, Neighbours(rows, "ims.mc2.lab"))
    for number in (0, 2):
        session = "scscf.mc2.lab;1;2"
        ((peer, out),) = way.receive(P, made.mar(lent_set(number), end_to_end=number, session=session))
        assert (peer, session.encode() in out) == (HSS, False)
    assert way.taken == 0


def test_databases_that_take_turns_have_no_lane(made, new_wire):
    way = PrimaryWay(made, new_wire())
    way.proxy.reconfigure(
        way.settings,
        Neighbours(
            [
                Neighbour(P, "ims.mc1.lab", Source.PARTNER, "mc1"),
                *(Neighbour(host, "ims.mc2.lab", Source.HSS, weight=1) for host in (HSS, HSS_2)),
            ],
            "ims.mc2.lab",
        ),
    )
    peers = [way.receive(P, made.mar(lent_set(0), end_to_end=number))[0][0] for number in range(4)]
    assert (way.taken, peers) == (0, [HSS, HSS_2, HSS, HSS_2])


def make_busy(way):
    """Let many requests wait for the only open peer, for longer than it should take."""
    way.wire.closed.add(P2)
    for number in range(150):
        way.receive(S, way.made.mar(partner(number % USERS), end_to_end=number, session="scscf.mc2.lab;1;1"))
    for _ in range(10):
        way.now_s += 0.05
        way.proxy.sweep(way.now_s)


def test_a_busy_destination_is_refused_with_the_octets_of_the_whole_way(made, new_wire):
    ways = Way(made, new_wire()), Way(made, new_wire(), has_lane=False)
    sent = []
    for way in ways:
        make_busy(way)
        waiting = way.proxy.pending_count
        sent.append(way.receive(S, made.mar(partner(1), end_to_end=999, session="scscf.mc2.lab;1;7")))
        assert way.proxy.pending_count == waiting == 150
        assert way.proxy.counters.refused == {("result", 3004): 1}
        assert way.proxy.counters.requests == {(S, "cscf", 303): 151}
        assert way.proxy.counters.routed == {"PARTNER": 151}
    ((peer, octets),) = sent[0]
    assert (peer, Message.decode(octets).result()) == (S, (0, 3004))
    assert sent[0] == sent[1]
    assert ways[0].taken == 149


def test_the_alternate_of_a_busy_peer_is_asked(way):
    make_busy(way)
    way.wire.closed.clear()
    ((peer, _),) = way.receive(S, way.made.mar(partner(1), end_to_end=999, session="scscf.mc2.lab;1;7"))
    assert peer == P2


def test_a_busy_peer_that_is_gone_is_said_to_be_gone(way):
    make_busy(way)
    way.wire.closed.add(P)
    ((_, octets),) = way.receive(S, way.made.mar(partner(1), end_to_end=999, session="scscf.mc2.lab;1;7"))
    assert Message.decode(octets).result() == (0, 3002)
