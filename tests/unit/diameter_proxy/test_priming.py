"""An own UAR before the first MAR, for an HSS that wants one (DESIGN: HSS profile; TS 29.228 §6.1.1)."""

import pytest
import structlog

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import MAR, UAR
from diameter_proxy.diameter.message import Message, encode_answer
from diameter_proxy.priming import WAITING_MAX
from diameter_proxy.proxy import Proxy
from diameter_proxy.settings import Settings

H, P = "hss.mc2.lab", "proxy1.mc1.lab"
LENT = ("mig-h@ims.mc2.lab", "sip:mig-h@ims.mc2.lab")
DEFAULT = ("001@ims.mc2.lab", "sip:001@ims.mc2.lab")


class Clock:
    now = 10.0

    def __call__(self):
        return self.now


class Primary:
    """The proxy of mc2 that has lent a set to mc1, before an HSS that is played here."""

    def __init__(self, made, wire):
        self.made, self.wire, self.clock = made, wire, Clock()
        settings = Settings(
            "proxy1.mc2.lab", "ims.mc2.lab", frozenset({b"ims.mc2.lab"}), b"s" * 32, server_name="sip:s",
            hss_as_default=True, prime_with_uar=True, visited_network="ims.mc2.lab",
        )  # fmt: skip
        self.proxy = Proxy(settings, made.neighbours(), wire, clock=self.clock, wall_clock=lambda: 1.0)
        self.proxy.identities.refreshed(10.0)
        of, to = (tuple(text.encode() for text in one) for one in (LENT, DEFAULT))
        lent = made.lent(is_primary=True, other_mc_system="mc1", identities=of, counterpart=to)
        self.proxy.identities.apply(lent)

    def ask(self, end_to_end=9):
        self.proxy.receive_request(P, self.made.mar(LENT, end_to_end=end_to_end))

    def answer(self, *avps, to=-1, **result):
        """Answer the request that was sent last, or another."""
        asked = self.wire.sent[to][1]
        octets = encode_answer(asked, origin_host=H, origin_realm="ims.mc2.lab", avps=avps, **result)
        self.proxy.receive_answer(H, octets)

    def vector(self):
        self.proxy.receive_answer(H, self.made.maa(self.wire.sent[-1][1], DEFAULT))

    @property
    def commands(self):
        return [(peer, Message.decode(octets).header.command_code) for peer, octets in self.wire.sent]

    @property
    def last(self):
        return Message.decode(self.wire.sent[-1][1])


@pytest.fixture
def primary(made, wire):
    with structlog.testing.capture_logs():
        yield Primary(made, wire)


def test_the_first_mar_waits_for_a_uar_of_ours_and_the_next_does_not(primary):
    primary.ask()
    uar = primary.last
    assert (uar.get(d.USER_NAME), uar.get(d.PUBLIC_IDENTITY)) == DEFAULT
    assert uar.get(d.VISITED_NETWORK_IDENTIFIER) == b"ims.mc2.lab"
    assert (uar.get(d.ORIGIN_HOST), uar.get(d.DESTINATION_REALM)) == ("proxy1.mc2.lab", "ims.mc2.lab")
    primary.answer(result_code=2001)
    assert primary.last.get(d.USER_NAME) == DEFAULT[0]
    primary.vector()
    primary.ask(end_to_end=10)
    assert primary.commands == [(H, UAR.code), (H, MAR.code), (P, MAR.code), (H, MAR.code)]
    assert primary.proxy.priming.uars_sent == 1


def test_the_s_cscf_that_the_uaa_names_stands_in_the_mar(primary):
    primary.ask()
    primary.answer(d.SERVER_NAME.encode("sip:home-scscf"), experimental=2002)
    assert primary.last.get(d.SERVER_NAME) == "sip:home-scscf"


def test_whatever_the_uaa_says_the_hss_is_asked(primary):
    primary.ask()
    primary.answer(experimental=5001)
    assert primary.commands[-1] == (H, MAR.code)


def test_5002_of_a_pair_that_was_primed_earlier_is_worth_one_more_uar(primary):
    primary.ask()
    primary.answer(result_code=2001)
    primary.vector()
    primary.clock.now = 60.0
    primary.proxy.identities.refreshed(60.0)
    primary.ask(end_to_end=10)
    primary.answer(experimental=5002)
    assert primary.commands[-1] == (H, UAR.code)
    primary.answer(result_code=2001)
    primary.answer(experimental=5002)
    assert primary.commands[-1] == (P, MAR.code)
    assert primary.last.result() == (10415, 5002)


def test_an_hss_that_has_lost_its_state_is_ready_again(primary):
    for state_id in (7, 7, None):
        primary.proxy.peer_opened(H, state_id)
        primary.ask(end_to_end=10 + (state_id or 0))
    primary.answer(result_code=2001, to=0)
    primary.proxy.peer_opened(H, 7)
    assert primary.proxy.priming.is_ready((DEFAULT[0].encode(), DEFAULT[1].encode()))
    primary.proxy.peer_opened(H, 8)
    assert not primary.proxy.priming.is_ready((DEFAULT[0].encode(), DEFAULT[1].encode()))
    primary.proxy.peer_opened("scscf.mc2.lab", 9)


def test_without_a_uaa_in_time_all_that_wait_are_3002(primary):
    for number in range(WAITING_MAX):
        primary.ask(end_to_end=100 + number)
    primary.ask(end_to_end=99)
    assert primary.last.result() == (0, 3004)
    while primary.clock.now < 12:
        primary.clock.now += 0.05
        primary.proxy.sweep(primary.clock.now)
    answers = [Message.decode(octets).result() for peer, octets in primary.wire.sent if peer == P]
    assert answers == [(0, 3004)] + [(0, 3002)] * WAITING_MAX
    assert primary.proxy.pending_count == 0


def test_without_an_hss_it_is_3002_at_once(primary):
    primary.wire.closed = {H, "hss-b.mc2.lab"}
    primary.ask()
    assert primary.last.result() == (0, 3002)
