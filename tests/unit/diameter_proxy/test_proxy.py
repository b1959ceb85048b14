"""The proxy agent as a whole, on a wire that keeps what is sent; time is a number."""

import pytest
import structlog

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import RTR, UAR
from diameter_proxy.diameter.message import Message, encode_answer
from diameter_proxy.proxy import Proxy
from diameter_proxy.settings import Settings

S, H, H2, M, P, P2 = (
    "scscf.mc2.lab", "hss.mc2.lab", "hss-b.mc2.lab", "mms.mc2.lab", "proxy1.mc1.lab", "proxy2.mc1.lab",
)  # fmt: skip
BOB = ("bob@ims.mc2.lab", "sip:bob@ims.mc2.lab")


class Clock:
    now = 10.0

    def __call__(self):
        return self.now


class Bench:
    """A proxy with all that it needs, and what it asked for."""

    def __init__(self, made, wire, **settings):
        self.made, self.wire, self.clock = made, wire, Clock()
        self.asked, self.told = [], []
        fields = {"home_domains": frozenset({b"ims.mc2.lab"}), "secret": b"s" * 32, "server_name": "sip:s1"}
        self.proxy = Proxy(
            Settings("proxy1.mc2.lab", "ims.mc2.lab", **{**fields, **settings}),
            made.neighbours(),
            wire,
            look_up=self.asked.append,
            home_deregistration=lambda impi, impus: self.told.append((impi, impus)),
            clock=self.clock,
            wall_clock=lambda: 50.0,
        )
        identities = self.proxy.identities
        identities.set_range("ims.mc2.lab", "mig-")
        identities.refreshed(10.0)
        identities.apply(made.lent())

    def receive(self, octets, peer=S):
        self.proxy.receive_request(peer, octets)
        return self.last

    @property
    def last(self):
        peer, octets = self.wire.sent[-1]
        return peer, Message.decode(octets)

    def pass_time(self, seconds):
        """Let time pass in ticks of the sweep."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += 0.05
            self.proxy.sweep(self.clock.now)


@pytest.fixture
def bench(made, wire):
    with structlog.testing.capture_logs() as events:
        bench = Bench(made, wire)
        bench.events = events
        yield bench


def test_an_own_user_goes_to_the_hss_and_a_lent_one_to_the_primary(bench, made):
    assert bench.receive(made.mar(BOB))[0] == H
    assert bench.receive(made.mar())[0] == P
    assert bench.receive(made.mar(command=UAR))[0] == M


def test_an_attempt_without_answer_goes_to_the_alternate_with_t_then_ends_in_3002(bench, made):
    bench.receive(made.mar())
    bench.pass_time(0.55)
    peer, resent = bench.last
    assert peer == P2
    assert resent.header.is_retransmitted
    bench.pass_time(0.85)
    peer, answer = bench.last
    assert (peer, answer.get(d.RESULT_CODE)) == (S, 3002)
    assert bench.proxy.pending_count == 0


def test_the_deadline_counts_from_the_request_and_leaves_time_for_cdp(bench, made):
    bench.receive(made.mar(BOB))
    bench.pass_time(0.95)
    assert bench.last[0] in (H, H2)
    bench.pass_time(0.15)
    assert bench.last[1].get(d.RESULT_CODE) == 3002


def test_a_congested_destination_is_3004_and_its_source_is_paused(bench, made):
    bench.wire.congested = {P, P2}
    peer, answer = bench.receive(made.mar())
    assert (peer, answer.get(d.RESULT_CODE)) == (S, 3004)
    assert answer.header.is_error
    assert (S, P) in bench.wire.paused


def test_a_congested_destination_has_an_alternate(bench, made):
    bench.wire.congested = {P}
    assert bench.receive(made.mar())[0] == P2


def test_a_lost_peer_means_the_alternate_at_once_else_3002(bench, made):
    bench.receive(made.mar())
    bench.wire.closed = {P}
    bench.proxy.peer_lost(P, is_closed=True)
    peer, resent = bench.last
    assert peer == P2
    assert resent.header.is_retransmitted
    bench.wire.closed = {P, P2}
    bench.proxy.peer_lost(P2, is_closed=True)
    assert bench.last[1].get(d.RESULT_CODE) == 3002


def test_a_silent_peer_fails_over_and_may_still_answer(bench, made):
    bench.receive(made.mar(BOB))
    first = bench.wire.sent[-1][1]
    bench.wire.closed = {H}
    bench.proxy.peer_lost(H, is_closed=False)
    assert bench.last[0] == H2
    bench.proxy.receive_answer(H, encode_answer(first, origin_host=H, origin_realm="r", result_code=2001))
    assert bench.last[0] == S
    assert bench.proxy.pending_count == 0


def test_an_answer_with_another_end_to_end_or_command_is_discarded(bench, made):
    bench.receive(made.mar(BOB))
    answer = encode_answer(bench.wire.sent[-1][1], origin_host=H, origin_realm="r", result_code=2001)
    count = len(bench.wire.sent)
    bench.proxy.receive_answer(H, answer[:16] + b"\0\0\0\0" + answer[20:])
    bench.proxy.receive_answer(H, answer[:5] + b"\0\1\x2c" + answer[8:])
    bench.proxy.receive_answer(H2, answer)
    assert len(bench.wire.sent) == count
    assert bench.proxy.counters.answers_discarded == 3


def test_too_many_pending_requests_are_3004(made, wire):
    bench = Bench(made, wire, pending_max=1)
    bench.receive(made.mar(BOB))
    peer, answer = bench.receive(made.mar(BOB, end_to_end=10))
    assert (peer, answer.get(d.RESULT_CODE)) == (S, 3004)


def test_an_hss_asks_nobody_along_the_default_route(made, wire):
    """An RTR for an identity that is nobody's is not another HSS's business."""
    routed = Bench(made, wire, default_route=H2)
    _, answer = routed.receive(made.mar(("x@else.lab", "sip:x@else.lab"), command=RTR), peer=H)
    assert answer.result() == (10415, 5001)


def test_a_default_route_takes_who_is_neither_ours_nor_lent(made, wire, bench):
    foreign = ("u@else.lab", "sip:u@else.lab")
    assert bench.receive(made.mar(foreign))[1].result() == (10415, 5001)
    routed = Bench(made, wire, default_route=H2)
    assert routed.receive(made.mar(foreign))[0] == H2


def test_without_a_feed_it_is_a_plain_relay(made, wire):
    bench = Bench(made, wire, has_feed=False)
    assert bench.receive(made.mar(("u@else.lab", "sip:u@else.lab")))[0] == H


def test_a_miss_is_parked_until_the_mms_has_spoken(bench, made):
    new = ("mig-n@ims.mc2.lab", "sip:mig-n@ims.mc2.lab")
    bench.proxy.receive_request(S, made.mar(new))
    assert bench.wire.sent == []
    assert bench.asked == [b"mig-n@ims.mc2.lab"]
    entry = made.lent(binding="n", version=9, identities=tuple(text.encode() for text in new))
    bench.proxy.look_up_finished(b"mig-n@ims.mc2.lab", entry)
    assert bench.last[0] == P


def test_what_waited_for_a_look_up_of_a_connection_that_is_no_more_is_forgotten(bench, made):
    bench.proxy.receive_request(S, made.mar(("mig-n@ims.mc2.lab", "sip:mig-n@ims.mc2.lab")))
    assert bench.proxy.look_ups.parked_count == 1
    bench.proxy.peer_connected(P)
    assert bench.proxy.look_ups.parked_count == 1, "another peer's"
    bench.proxy.peer_connected(S)
    assert bench.proxy.look_ups.parked_count == 0
    bench.proxy.look_up_finished(b"mig-n@ims.mc2.lab", None)
    assert bench.wire.sent == []


@pytest.mark.parametrize("answer", [True, False])
def test_a_relayed_request_of_a_connection_that_is_no_more_is_not_answered(bench, made, answer):
    _, sent = bench.receive(made.mar(BOB))
    count = len(bench.wire.sent)
    bench.proxy.peer_connected(S)
    if answer:
        bench.proxy.receive_answer(H, made.maa(sent, BOB))
    else:
        bench.pass_time(5.0)
    assert [peer for peer, _ in bench.wire.sent[count:] if peer == S] == []
    assert bench.proxy.counters.answers_undeliverable == 1


def test_a_look_up_older_than_the_feed_does_not_bring_a_binding_back(bench, made):
    bench.proxy.identities.version = 9
    new = ("mig-n@ims.mc2.lab", "sip:mig-n@ims.mc2.lab")
    bench.proxy.receive_request(S, made.mar(new))
    entry = made.lent(binding="n", version=8, identities=tuple(text.encode() for text in new))
    bench.proxy.look_up_finished(b"mig-n@ims.mc2.lab", entry)
    assert bench.last[1].result() == (10415, 5001)


def test_a_peer_in_route_record_is_skipped(bench, made):
    assert bench.receive(made.mar(BOB, d.ROUTE_RECORD.encode(H)))[0] == H2


def test_destination_host_is_obeyed_and_ours_is_taken_off(bench, made):
    assert bench.receive(made.mar(BOB, d.DESTINATION_HOST.encode(H2)))[0] == H2
    peer, out = bench.receive(made.mar(BOB, d.DESTINATION_HOST.encode("proxy1.mc2.lab")))
    assert peer == H
    assert out.get(d.DESTINATION_HOST) is None
    assert bench.receive(made.mar(BOB, d.DESTINATION_HOST.encode(S)))[1].get(d.RESULT_CODE) == 3002


def test_an_rtr_of_the_mms_reaches_the_cscf_and_without_destination_host_it_is_5005(bench, made):
    asked = made.mar(made.partner, d.DESTINATION_HOST.encode(S), command=RTR)
    assert bench.receive(asked, M)[0] == S
    assert bench.receive(made.mar(command=RTR), M)[1].get(d.RESULT_CODE) == 5005


def test_a_fault_of_ours_is_5012_and_logged_once(bench, made, monkeypatch):
    monkeypatch.setattr("diameter_proxy.proxy.decide", lambda *arguments: 1 / 0)
    peer, answer = bench.receive(made.mar(BOB))
    assert (peer, answer.get(d.RESULT_CODE)) == (S, 5012)
    assert [event["event"] for event in bench.events if event["log_level"] == "error"] == ["request.failed"]


def test_no_log_holds_an_identity(bench, made):
    for identities in (made.partner, BOB, ("mig-x@ims.mc2.lab", BOB[1])):
        bench.receive(made.mar(identities, end_to_end=20))
    bench.pass_time(2)
    assert "ims.mc2.lab" not in str([event for event in bench.events if event.pop("peer", None)]).replace(S, "")
    assert bench.events
