"""Calls of ``ue-agent run`` through a P-CSCF that forwards: two UEs, real pjsua2 and RTP on both sides."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from .conftest import Registrar, Request, UeProcess, answer_to, write_ue_config

ALICE, BOB = "sip:alice@ims.mc1.lab", "sip:bob@ims.mc1.lab"


class Exchange(Registrar):
    """Forwards what is no REGISTER to the contact of the user that To names; answers 404 for one that it lacks."""

    def __init__(self) -> None:
        self.contacts: dict[str, tuple[str, Any]] = {}
        super().__init__()

    def _take(self, octets: bytes, source: Any, send: Callable[[bytes], Any]) -> None:
        if octets.startswith(b"SIP/2.0"):
            self._give_back(octets.decode())
            return
        request = Request(octets) if octets.strip() else None
        if request is None or request.method == "REGISTER":
            super()._take(octets, source, send)
            if request is not None and self.contact is not None and self.contact[1] == source:
                self.contacts[user_of(request.get("To"))] = self.contact
            return
        self.requests.append(request)
        if user_of(request.get("To")) in self.contacts:
            self._forward(octets.decode(), request)
        elif request.method != "ACK":
            send(answer_to(request, "404 Not Found"))

    def _forward(self, text: str, request: Request) -> None:
        uri, target = self.contacts[user_of(request.get("To"))]
        line, rest = text.split("\r\n", 1)
        # A retransmission and a CANCEL have the branch of their INVITE (RFC 3261 §9.1, §17.2.3).
        branch = request.get("Via").partition("branch=")[2].partition(";")[0]
        own = f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch={branch}x"
        self._socket.sendto(f"{line.replace(request.uri, uri)}\r\n{own}\r\n{rest}".encode(), target)

    def _give_back(self, text: str) -> None:
        vias = re.findall(r"^Via: .*?127\.0\.0\.1:(\d+).*\r\n", text, re.MULTILINE)
        if len(vias) > 1:
            without = re.sub(r"^Via: .*\r\n", "", text, count=1, flags=re.MULTILINE)
            self._socket.sendto(without.encode(), ("127.0.0.1", int(vias[1])))


def user_of(header: str) -> str:
    return header.partition("sip:")[2].partition("@")[0]


@contextlib.contextmanager
def two_ues(folder: Path, ca: trustme.CA) -> Iterator[tuple[UeProcess, UeProcess]]:
    """Yield Alice and Bob, both registered."""
    exchange = Exchange()
    written = write_ue_config(folder, ca, f"sip:127.0.0.1:{exchange.port}")
    other = written.with_name("ue2.toml")
    text = written.read_text().replace("alice@", "bob@").replace('"ue1"', '"ue2"').replace('"state"', '"state2"')
    other.write_text(text.replace("001010000000001", "001010000000002"))
    ues = UeProcess(written), UeProcess(other)
    numbers = [ue.send("register", system="mc1") for ue in ues]
    for ue, number in zip(ues, numbers, strict=True):
        assert done_of(ue, number)["ok"]
    try:
        yield ues
    finally:
        for ue in ues:
            ue.close()
        exchange.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, ca: trustme.CA) -> Iterator[tuple[UeProcess, UeProcess]]:
    with two_ues(tmp_path_factory.mktemp("calls"), ca) as ues:
        yield ues


@pytest.fixture
def pair(both: tuple[UeProcess, UeProcess]) -> Iterator[tuple[UeProcess, UeProcess]]:
    """Alice and Bob, as if nothing had been said; whatever call a test leaves is ended."""
    yield both
    for ue in both:
        ue.do("hang-up", system="mc1")
    for ue in both:
        ue.events.clear()


def is_call(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == name


def rings(caller: Any, callee: Any, **members: Any) -> int:
    """Have one call the other, until it rings there; return the id of the command."""
    number = caller.send("call", system="mc1", to=BOB, **members)
    assert callee.wait_for(is_call("call.received"))["from"] == ALICE
    return number


def done_of(ue: Any, number: int) -> dict[str, Any]:
    return ue.wait_for(lambda event: event["event"] == "done" and event["id"] == number)


def test_a_call_is_answered_has_media_both_ways_and_is_hung_up(pair) -> None:
    """TS 24.229 §5.1.3 and §5.1.4; RTP is really sent: each side counts what the other sent."""
    alice, bob = pair
    number = rings(alice, bob)
    assert bob.do("answer", system="mc1")["ok"]
    assert done_of(alice, number)["status"] == 200
    media = alice.do("await-media", system="mc1", packets=10)
    assert media["ok"] and min(media["rtp_sent"], media["rtp_received"]) >= 10
    ended = alice.do("hang-up", system="mc1")
    assert ended["ok"] and ended["rtp_sent"] >= 10
    there = bob.wait_for(is_call("call.ended"))
    assert (there["system"], there["status"]) == ("mc1", 200)
    assert min(there["rtp_sent"], there["rtp_received"]) >= 10


def test_one_call_after_the_other_and_the_callee_hangs_up(pair) -> None:
    alice, bob = pair
    for _ in range(2):
        number = rings(alice, bob)
        assert bob.do("answer", system="mc1")["ok"] and done_of(alice, number)["ok"]
        assert bob.do("hang-up", system="mc1")["ok"]
        alice.wait_for(is_call("call.ended"))
        alice.events.clear()
        bob.events.clear()


@pytest.mark.parametrize(("status", "name"), [(486, "busy"), (603, "declined"), (480, "unavailable"), (499, "refused")])
def test_a_callee_that_refuses_is_named(pair, status, name) -> None:
    """RFC 3261 §21.4, §21.6."""
    alice, bob = pair
    number = rings(alice, bob)
    answered = bob.do("answer", system="mc1", status=status)
    assert answered["ok"], answered
    done = done_of(alice, number)
    assert (done["ok"], done["reason"], done["status"]) == (False, name, status)


def test_who_does_not_answer_is_called_off(pair) -> None:
    """CANCEL and 487 (RFC 3261 §9)."""
    alice, bob = pair
    number = rings(alice, bob, ring=0.5)
    done = done_of(alice, number)
    assert (done["ok"], done["reason"], done["status"]) == (False, "no-answer", 487)
    assert bob.wait_for(is_call("call.ended"))["status"] == 487
    assert bob.do("answer", system="mc1")["reason"] == "there is no call"


def test_nobody_of_that_name_is_not_found(pair) -> None:
    done = pair[0].do("call", system="mc1", to="sip:nobody@ims.mc1.lab")
    assert (done["ok"], done["reason"], done["status"], done["detail"]) == (False, "not-found", 404, "Not Found")


def test_a_second_call_meanwhile_is_busy_at_both_ends(pair) -> None:
    alice, bob = pair
    number = rings(alice, bob)
    assert bob.do("answer", system="mc1")["ok"] and done_of(alice, number)["ok"]
    assert alice.do("call", system="mc1", to=BOB)["reason"] == "there is a call already"
    assert alice.do("answer", system="mc1")["reason"] == "no call rings"
    assert bob.do("hang-up", system="mc1")["ok"]


@pytest.mark.parametrize("command", ["answer", "hang-up", "await-media"])
def test_without_a_call_there_is_nothing_to_do(pair, command) -> None:
    assert pair[0].do(command, system="mc1")["reason"] == "there is no call"


def test_media_that_does_not_come_is_told(pair) -> None:
    alice, bob = pair
    number = rings(alice, bob)
    assert bob.do("answer", system="mc1")["ok"] and done_of(alice, number)["ok"]
    done = alice.do("await-media", system="mc1", packets=100_000, within=0.2)
    assert not done["ok"] and done["reason"].startswith("no media: ")


def test_a_ue_that_stops_in_a_call_ends_well(tmp_path, ca) -> None:
    """pjsua2 answers misuse with an abort: leaving it with a call and its media under way must be none."""
    with two_ues(tmp_path, ca) as (alice, bob):
        number = rings(alice, bob)
        assert bob.do("answer", system="mc1")["ok"] and done_of(alice, number)["ok"]
        alice.do("stop")
        assert alice.wait_for_end() == 0 and alice.stderr == ""


def test_calls_need_a_registration(ue) -> None:
    assert ue.do("call", system="mc1", to=BOB)["reason"] == "not registered at mc1"
