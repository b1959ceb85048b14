"""What the express lane keeps of requests, and what it knows of users, under everything that may happen meanwhile."""

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.message import Message
from diameter_proxy.diameter.wire import encode_avp, encode_message, walk_avps
from tests.unit.diameter_proxy.conftest import Made, Wire
from tests.unit.diameter_proxy.test_express_lane import P2, USERS, P, S, Way, bare, partner, primary


@pytest.fixture
def way(made, new_wire):
    return Way(made, new_wire())


def test_what_waits_for_a_peer_that_goes_is_sent_again_and_answered_once(way):
    way.exchange(0, 1)
    requests = [way.made.mar(partner(number), end_to_end=number + 1) for number in (1, 2, 3)]
    ((peer, octets),) = way.receive(S, *requests)
    outs = split(octets)
    assert (peer, way.taken, way.proxy.pending_count) == (P, 3, 3)
    way.receive(P, way.made.maa(Message.decode(outs[0]), primary(1)))
    way.wire.closed.add(P)
    before = len(way.wire.sent)
    way.proxy.peer_lost(P, is_closed=True)
    again = way.wire.sent[before:]
    assert [(peer, octets[4] & 0x10) for peer, octets in again] == [(P2, 0x10)] * 2
    assert way.proxy.pending_count == 2
    assert way.receive(P, way.made.maa(Message.decode(outs[1]), primary(2))) == [], "of a connection that is no more"
    for number, (_, octets) in zip((2, 3), again, strict=True):
        ((peer, back),) = way.receive(P2, way.made.maa(Message.decode(octets), primary(number)))
        assert (peer, Message.decode(back).result()) == (S, (0, 2001))
    assert way.proxy.pending_count == 0
    sweep_until(way, 14.0)
    assert way.wire.sent[-1][1][4] & 0x20 == 0, "nobody hears of a deadline"


def test_what_a_connection_asked_that_is_no_more_is_not_answered_on_the_next_one(way):
    """Its Hop-by-Hop may be another request's there (RFC 6733 §3); whoever asks again with T is answered, once."""
    way.exchange(0, 1)
    asked = [way.made.mar(partner(number), end_to_end=number + 1) for number in (1, 2, 3)]
    outs = split(way.receive(S, *asked)[0][1])
    assert way.taken == 3
    way.proxy.peer_lost(S, is_closed=True)
    way.proxy.peer_connected(S)
    again = asked[1][:4] + bytes((asked[1][4] | 0x10,)) + asked[1][5:12] + bytes((0, 0, 0, 77)) + asked[1][16:]
    assert way.receive(S, again) == [], "it is under way"
    backs = way.receive(P, *(way.made.maa(Message.decode(outs[n - 1]), primary(n)) for n in (1, 2, 3)))
    ((peer, back),) = backs
    header = Message.decode(back).header
    assert (peer, header.hop_by_hop, header.end_to_end) == (S, 77, 3)
    assert (way.proxy.pending_count, way.proxy.counters.answers_undeliverable) == (0, 3)


def test_nobody_hears_of_the_deadline_of_what_a_connection_asked_that_is_no_more(way):
    way.exchange(0, 1)
    way.receive(S, *(way.made.mar(partner(number), end_to_end=number + 1) for number in (1, 2)))
    way.proxy.peer_connected(S)
    sweep_until(way, 14.0)
    assert way.wire.sent[-1][0] != S
    assert (way.proxy.pending_count, way.proxy.counters.expired) == (0, 2)


def test_of_many_in_one_read_those_that_are_not_answered_have_their_deadline(way):
    way.exchange(0, 1)
    way.wire.closed.add(P2)
    requests = [way.made.mar(partner(number), end_to_end=number + 1) for number in (1, 2, 3, 4)]
    outs = split(way.receive(S, *requests)[0][1])
    for number in (2, 4):
        way.receive(P, way.made.maa(Message.decode(outs[number - 1]), primary(number)))
    before = len(way.wire.sent)
    sweep_until(way, 14.0)
    refused = [Message.decode(octets) for _, octets in way.wire.sent[before:]]
    assert [message.result() for message in refused] == [(0, 3002)] * 2
    assert {message.header.end_to_end for message in refused} == {2, 4}
    assert (way.proxy.pending_count, way.proxy.counters.expired) == (0, 2)


def test_an_answer_that_comes_after_the_request_was_sent_again_ends_both(way):
    way.exchange(0, 1)
    ((_, out),) = way.receive(S, way.made.mar(partner(1), end_to_end=2))
    before = len(way.wire.sent)
    sweep_until(way, 10.7)
    ((peer, again),) = way.wire.sent[before:]
    assert (peer, again[4] & 0x10) == (P2, 0x10)
    ((peer, back),) = way.receive(P, way.made.maa(Message.decode(out), primary(1)))
    assert (peer, Message.decode(back).result()) == (S, (0, 2001))
    assert way.receive(P2, way.made.maa(Message.decode(again), primary(1))) == []
    assert way.proxy.pending_count == 0


def test_answers_are_remembered_for_some_time_and_in_some_number(way):
    way = Way(way.made, way.wire, duplicates_max=3, duplicates_s=5.0)
    way.exchange(0, 1)
    for end_to_end in (2, 3, 4, 5):
        way.exchange(1, end_to_end)
    assert len(way.proxy.forwarder.duplicates) == 3

    def asked_again(end_to_end):
        return [peer for peer, _ in way.receive(S, way.made.mar(partner(1), end_to_end=end_to_end))]

    assert (asked_again(5), asked_again(2)) == ([S], [P])
    way.now_s += 6
    assert asked_again(4) == [P]
    assert way.proxy.counters.duplicates_answered == 1


def test_two_with_one_end_to_end_get_their_own_answers(way):
    """Two S-CSCFs' numbers do overlap: the lane takes the first, the other goes the whole way."""
    way.exchange(0, 1)
    ((_, one),) = way.receive(S, way.made.mar(partner(1), end_to_end=2))
    ((_, other),) = way.receive(S, way.made.mar(partner(2), end_to_end=2))
    assert way.taken == 1
    for number, out in ((2, other), (1, one)):
        ((_, back),) = way.receive(P, way.made.maa(Message.decode(out), primary(number)))
        assert Message.decode(back).get(d.USER_NAME) == partner(number)[0]
    for number in (1, 2):
        ((peer, back),) = way.receive(S, way.made.mar(partner(number), end_to_end=2))
        assert (peer, Message.decode(back).get(d.USER_NAME)) == (S, partner(number)[0])
    assert way.proxy.counters.duplicates_answered == 2
    way.now_s += 11
    way.proxy.sweep(way.now_s)
    assert len(way.proxy.forwarder.duplicates) == 0


def test_the_same_request_twice_in_one_read_is_answered_twice(way):
    way.exchange(0, 1)
    request = way.made.mar(partner(1), end_to_end=2)
    ((_, out),) = way.receive(S, request, request)
    answers = way.receive(P, way.made.maa(Message.decode(out), primary(1)))
    assert [peer for peer, _ in answers] == [S, S]
    assert (way.proxy.pending_count, way.proxy.counters.duplicates_joined) == (0, 1)


def test_what_waits_longest_is_told_of_the_lanes_requests_too(way):
    way.exchange(0, 1)
    for number in (1, 2):
        way.now_s += 0.1
        way.receive(S, way.made.mar(partner(number), end_to_end=number + 1))
    pending = way.proxy.forwarder.pending.oldest(5)
    assert [(one.asked[16:20], one.source, one.tried[0][0]) for one in pending] == [
        (bytes([0, 0, 0, 2]), S, P),
        (bytes([0, 0, 0, 3]), S, P),
    ]


def test_no_more_may_wait_than_the_limit(made, new_wire):
    way = Way(made, new_wire(), pending_max=3)
    way.exchange(0, 1)
    requests = [made.mar(partner(number), end_to_end=number + 1) for number in (1, 2, 3, 4, 5)]
    sent = way.receive(S, *requests)
    assert [peer for peer, _ in sent] == [P, S, S]
    assert [Message.decode(octets).result() for _, octets in sent[1:]] == [(0, 3004)] * 2
    assert (way.taken, way.proxy.pending_count) == (3, 3)


def test_when_the_numbers_of_sessions_end_nothing_is_lost(way):
    way.exchange(0, 1)
    ids = way.proxy.migration._hiding.session_ids
    ids._low, high = (1 << 32) - 2, ids.high
    sessions = set()
    for end_to_end in range(2, 9):
        ((_, out),) = way.receive(S, way.made.mar(partner(1), end_to_end=end_to_end))
        sessions.add(Message.decode(out).get(d.SESSION_ID))
    assert len(sessions) == 7
    assert {text.split(";")[1] for text in sessions} == {str(high), str(high + 1)}
    assert way.taken == 6, "the first under the new number is learnt anew"


KINDS = st.sampled_from(["known", "known", "known", "resync", "unbound", "two sets", "again", "short"])


@settings(deadline=None, derandomize=True, max_examples=80)
@given(st.lists(st.tuples(KINDS, st.integers(0, USERS - 1)), min_size=1, max_size=12), st.booleans())
def test_many_in_one_read_leave_what_they_leave_without_the_lane(rows, is_backwards):
    """Of all kinds, answered in one read too; Hop-by-Hop, our Session-Ids and the order aside."""
    ways = (Way(Made, Wire()), Way(Made, Wire(), has_lane=False))
    requests = []
    for place, (kind, number) in enumerate(rows):
        end_to_end = place if kind == "again" and place else place + 1
        identities = {"unbound": ("mig-zz@ims.mc2.lab", "sip:mig-zz@ims.mc2.lab"),
                      "two sets": (partner(0)[0], partner(1)[1])}.get(kind, partner(number))  # fmt: skip
        session = "s" if kind == "short" else f"scscf.mc2.lab;1;{end_to_end % 10}"
        item = RESYNC if kind == "resync" else None
        requests.append(Made.mar(identities, item=item, end_to_end=end_to_end, session=session))
    backs = []
    for way in ways:
        way.exchange(0, 100)
        way.exchange(0, 101, item=RESYNC)
        sent = [(peer, octets) for peer, many in way.receive(S, *requests) for octets in split(many)]
        outs = [octets for peer, octets in sent if peer == P]
        answers = [way.made.maa(Message.decode(out), identities_of(out)) for out in outs]
        back = way.receive(P, *(reversed(answers) if is_backwards else answers))
        backs.append(sorted([bare(row) for row in sent if row[0] == S] + [(p, o) for p, m in back for o in split(m)]))
        assert way.proxy.pending_count == 0
        way.now_s += 11
        way.proxy.sweep(way.now_s)
        assert len(way.proxy.forwarder.duplicates) == len(way.proxy.forwarder.duplicates.known) == 0
    assert [bare(row) for row in backs[0]] == [bare(row) for row in backs[1]]


RESYNC = d.SIP_AUTH_DATA_ITEM.encode(
    d.SIP_AUTHENTICATION_SCHEME.encode("Digest-AKAv1-MD5") + d.SIP_AUTHORIZATION.encode(bytes(30))
)


def identities_of(request):
    message = Message.decode(request)
    return message.get(d.USER_NAME), message.get(d.PUBLIC_IDENTITY)


def split(octets):
    messages = []
    while octets:
        length = int.from_bytes(octets[1:4], "big")
        messages.append(octets[:length])
        octets = octets[length:]
    return messages


def sweep_until(way, end_s):
    while way.now_s < end_s:
        way.now_s += 0.05
        way.proxy.sweep(way.now_s)


def octets(texts):
    return tuple(text.encode() for text in texts)


def pair(user, host, public=None):
    return f"{user}@ims.{host}.lab", f"sip:{public or user}@ims.{host}.lab"


@pytest.fixture
def ways(made, new_wire):
    """One with the lane and one without."""
    return Way(made, new_wire()), Way(made, new_wire(), has_lane=False)


def asked(way, identities, end_to_end, *more):
    ((_, out),) = way.receive(S, way.made.mar(identities, *more, end_to_end=end_to_end))
    return out


def answered(way, out, identities, *more):
    ((_, back),) = way.receive(P, way.made.maa(Message.decode(out), identities, *more))
    return back


def test_pairs_that_are_cut_elsewhere_are_two_kinds(ways):
    """Both AVPs together are of one length: the answer has each as it came."""
    sets = [(pair("mig-xxxxxxx1", "mc2", "mig-x1"), pair("mig-hx1", "mc1")),
            (pair("mig-y1", "mc2", "mig-yyyyyyy1"), pair("mig-hy1", "mc1"))]  # fmt: skip
    backs = []
    for way in ways:
        for number, (mine, theirs) in enumerate(sets):
            way.proxy.identities.apply(
                way.made.lent(binding=f"cut{number}", identities=octets(mine), counterpart=octets(theirs))
            )
        rounds = [sets[1], sets[0], sets[1], sets[1], sets[0]]
        backs.append([answered(way, asked(way, mine, 100 + n), theirs) for n, (mine, theirs) in enumerate(rounds)])
    assert backs[0] == backs[1]
    assert Message.decode(backs[0][-1]).get(d.PUBLIC_IDENTITY) == sets[0][0][1]


def test_a_binding_that_ends_between_request_and_answer_gives_no_vector(ways):
    results = []
    for way in ways:
        way.exchange(0, 1)
        for number in (0, 2, 3):
            way.proxy.identities.apply(way.lent(number, version=2, not_after_s=1e6))
        way.wall_s = 99.9
        out = asked(way, partner(1), 2)
        way.wall_s, way.now_s = 100.1, way.now_s + 0.2
        way.proxy.sweep(way.now_s)
        results.append(Message.decode(answered(way, out, primary(1))).result())
    assert results == [(10415, 5001)] * 2


def test_who_has_ended_is_refused_however_often_he_asks_in_one_read(ways):
    for way in ways:
        way.exchange(0, 1)
        way.proxy.identities.apply(way.lent(1, version=2, not_after_s=49.0))
        sent = way.receive(S, *(way.made.mar(partner(1), end_to_end=number) for number in (2, 3)))
        assert [peer for peer, _ in sent] == [S, S]


def test_identities_that_another_binding_takes_over_are_its_own_at_once(ways):
    for way in ways:
        way.exchange(0, 1)
        way.exchange(1, 2)
        way.proxy.identities.apply(way.lent(1, binding="new", version=5, counterpart=octets(primary(5))))
        assert Message.decode(asked(way, partner(1), 3)).get(d.USER_NAME) == primary(5)[0]


@pytest.mark.parametrize(
    "first, second",
    [("mig-partner7 mig-secretA7", "mig-partner8 mih-secretB8"), ("11111117 21111117", "31111118 41111118")],
)
def test_a_form_learnt_meanwhile_shows_nobody(ways, first, second):
    mine, theirs = ([pair(users.split()[place], f"mc{2 - place}") for users in (first, second)] for place in (0, 1))
    odd = encode_avp(9999, theirs[1][0].encode(), 10415, 0)
    for way in ways:
        for number in (0, 1):
            lent = way.made.lent(
                binding=f"m{number}", identities=octets(mine[number]), counterpart=octets(theirs[number])
            )
            way.proxy.identities.apply(lent)
        answered(way, asked(way, mine[0], 1), theirs[0])
        out = asked(way, mine[1], 2)
        answered(way, asked(way, mine[0], 3), theirs[0], odd)
        assert theirs[1][0].encode() not in answered(way, out, theirs[1], odd)
    assert ways[0].taken > 0


def test_constants_that_only_resemble_an_identity_take_nobodys_lane(way):
    """Many share the first digits of an IMSI; that they stand in an AVP is no reason to walk everybody's messages."""
    sets = [(pair(f"migrated{number}", "mc2"), pair(f"00101012345{number}", "mc1")) for number in range(4)]
    for number, (mine, theirs) in enumerate(sets):
        way.proxy.identities.apply(
            way.made.lent(binding=f"m{number}", identities=octets(mine), counterpart=octets(theirs))
        )
    answered(way, asked(way, sets[0][0], 1, encode_avp(9999, b"sip:00101012", 10415, 0)), sets[0][1])
    for number, (mine, theirs) in enumerate(sets):
        answered(way, asked(way, mine, 10 + number, encode_avp(9999, b"sip:00101012", 10415, 0)), theirs)
    assert way.taken == 4


def test_an_answer_is_remembered_no_longer_than_a_reload_says(ways):
    for way in ways:
        way.exchange(0, 1)
        way.proxy.forwarder.duplicates.limit(10_000, 1.0)
        way.exchange(1, 2)
        way.now_s += 3
        assert [peer for peer, _ in way.receive(S, way.made.mar(partner(1), end_to_end=2))] == [P]
        assert way.proxy.counters.duplicates_answered == 0


def test_nothing_is_kept_of_a_connection_that_is_no_more(way):
    way.exchange(0, 1)
    way.receive(S, *(way.made.mar(partner(number), end_to_end=number + 10) for number in range(1, 5)))
    queue = way.proxy.forwarder.pending.queue_of(P)
    way.wire.closed |= {P, P2}
    for peer in (P, P2):
        way.proxy.peer_lost(peer, is_closed=True)
    sweep_until(way, way.now_s + 3)
    gc.collect()
    assert way.proxy.pending_count == 0
    assert [type(one) for one in gc.get_referrers(queue) if type(one).__name__ in ("Outlet", "Batch")] == []


@pytest.mark.parametrize("user_first", [True, False])
def test_what_stands_between_both_identities_passes_too(ways, user_first):
    """In either order, and an HSS that answers in the other one."""
    features = encode_avp(628, encode_avp(266, bytes(4)), 10415)
    sent = []
    for way in ways:
        rows = []
        for end_to_end, number in enumerate((0, 1, 2, 1)):
            message = Message.decode(way.made.mar(partner(number), end_to_end=end_to_end))
            request = reordered(message, user_first, features)
            ((_, out),) = way.receive(S, request)
            rows.append((out[:12] + out[16:], answered(way, out, primary(number))))
        sent.append(rows)
    assert sent[0] == sent[1]
    assert ways[0].taken == 3


def reordered(message, user_first, between):
    """Return a request with User-Name and Public-Identity in this order, and an AVP between both."""
    avps = {span.code: message.octets[span.start : span.next] for span in walk_avps(message.octets)}
    order = [263, 260, 277, 264, 296, 283, *((1, 0, 601) if user_first else (601, 0, 1)), 607, 612, 602]
    avps[0] = between
    header = message.header
    return encode_message(
        0xC0, header.command_code, header.application_id, 5, header.end_to_end, [avps[c] for c in order]
    )
