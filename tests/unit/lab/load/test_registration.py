"""One registration as a script of datagrams and moments: legs, timers E and F, resynchronisation, back-off."""

import base64
import hashlib
import itertools
import re

from lab.load.registration import Registration, State, Timers
from lab.load.sip import Contact, Dialogue
from ue_agent.aka.aka import generate_vector, verify_auts
from ue_agent.aka.isim import Isim
from ue_agent.aka.milenage import Milenage

K, OPC = bytes(range(16)), bytes(range(16, 32))
RAND = bytes(16)
IMPI, DOMAIN = "001@ims.mc1.lab", "ims.mc1.lab"


def made(timers: Timers | None = None, sqn: int = 0) -> Registration:
    tokens = itertools.count(1)
    card = Isim(IMPI, ["sip:a@ims.mc1.lab"], DOMAIN, [], K, OPC)
    if sqn:
        vector = generate_vector(Milenage(K, OPC), RAND, sqn, b"\x80\x00")
        card.authenticate(vector.rand, vector.autn)
    dialogue = Dialogue(DOMAIN, IMPI, "sip:a@ims.mc1.lab", Contact("10.0.0.1", 4000), "call", "tag")
    return Registration(dialogue, card, timers or Timers(), lambda: f"t{next(tokens)}", lambda: 1.0)


def answer(request: bytes, status: int, *headers: str) -> bytes:
    text = request.decode()
    branch = re.search(r"branch=(\S+)", text)
    cseq = re.search(r"CSeq: (\d+)", text)
    assert branch is not None and cseq is not None
    lines = (f"SIP/2.0 {status} x", f"Via: SIP/2.0/UDP x;branch={branch[1]}", f"CSeq: {cseq[1]} REGISTER", *headers)
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def challenge(sqn: int, qop: str = ', qop="auth,auth-int"', k: bytes = K) -> str:
    vector = generate_vector(Milenage(k, OPC), RAND, sqn, b"\x80\x00")
    nonce = base64.b64encode(vector.rand + vector.autn).decode()
    return f'WWW-Authenticate: Digest realm="{DOMAIN}", nonce="{nonce}", algorithm=AKAv1-MD5{qop}'


def digest_of(request: bytes) -> dict[str, str]:
    return dict(re.findall(r'(\w+)="?([^",\r]*)"?', request.decode().partition("Authorization: Digest ")[2]))


def test_challenge_answer_and_200_with_the_time_of_each() -> None:
    """RFC 3310 §3.3: the response is the digest with RES as the password."""
    ue = made()
    first = ue.begin(10.0, 600)
    second = ue.receive(answer(first, 401, challenge(64)), 10.25)
    assert second is not None
    assert ue.receive(answer(second, 200), 10.75) is None
    record = ue.record
    assert (record.ok, record.challenge_s, record.answer_s, record.whole_s) == (True, 0.25, 0.5, 0.75)
    assert (record.failures, record.retransmissions, ue.due, ue.state) == ([], 0, None, State.ENDED)
    sent = digest_of(second)
    res = generate_vector(Milenage(K, OPC), RAND, 64, b"\x80\x00").xres
    a1 = hashlib.md5(f"{IMPI}:{DOMAIN}:".encode() + res).hexdigest()
    a2 = hashlib.md5(f"REGISTER:sip:{DOMAIN}".encode()).hexdigest()
    nonce = f"{sent['nonce']}:{sent['nc']}:{sent['cnonce']}:auth"
    assert sent["response"] == hashlib.md5(f"{a1}:{nonce}:{a2}".encode()).hexdigest()


def test_a_challenge_without_qop_is_answered_without() -> None:
    ue = made()
    second = ue.receive(answer(ue.begin(0.0, 600), 401, challenge(64, qop="")), 0.1)
    assert second is not None
    assert b"nc=" not in second


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_it() -> None:
    """RFC 3261 §17.1.2.2: 0.5, 1, 2, 4, 4, ... and the end after 64*T1."""
    ue = made(Timers(tries=1))
    request = ue.begin(0.0, 600)
    moments = []
    while ue.due is not None:
        moments.append(ue.due)
        sent = ue.tick(ue.due)
        assert sent in (request, None)
    assert moments == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5, 32.0]
    assert (ue.record.outcome, ue.record.retransmissions) == ("timeout", 10)


def test_a_tick_before_its_time_does_nothing() -> None:
    ue = made()
    ue.begin(0.0, 600)
    assert ue.tick(0.4) is None
    assert ue.record.retransmissions == 0


def test_after_a_provisional_response_it_is_t2() -> None:
    """RFC 3261 §17.1.2.2, Proceeding."""
    ue = made()
    first = ue.begin(0.0, 600)
    ue.receive(answer(first, 100), 0.1)
    assert (ue.state, ue.due) == (State.PROCEEDING, 4.1)


def test_503_backs_off_for_retry_after_and_longer_each_time() -> None:
    ue = made()
    ue.receive(answer(ue.begin(0.0, 600), 503, "Retry-After: 7"), 1.0)
    assert (ue.state, ue.due) == (State.BACKING_OFF, 8.0)
    again = ue.tick(8.0)
    assert again is not None
    ue.receive(answer(again, 504), 9.0)
    assert ue.due == 10.0  # 0.5 s doubled once
    assert (ue.record.failures, ue.record.tries) == (["503", "504"], 2)


def test_after_so_many_tries_it_is_over() -> None:
    ue = made(Timers(tries=2))
    ue.receive(answer(ue.begin(0.0, 600), 503), 0.0)
    again = ue.tick(0.5)
    assert again is not None
    ue.receive(answer(again, 503), 0.6)
    assert (ue.record.outcome, ue.state) == ("503", State.ENDED)


def test_403_is_final() -> None:
    ue = made()
    ue.receive(answer(ue.begin(0.0, 600), 403), 0.1)
    assert (ue.record.outcome, ue.record.failures, ue.due) == ("403", ["403"], None)


def test_an_old_sequence_number_is_resynchronised() -> None:
    """RFC 3310 §3.4: AUTS, and the digest with an empty password."""
    ue = made(sqn=(40 << 5))
    auts_request = ue.receive(answer(ue.begin(0.0, 600), 401, challenge(1 << 5)), 0.1)
    assert auts_request is not None
    auts = base64.b64decode(digest_of(auts_request)["auts"])
    assert verify_auts(Milenage(K, OPC), RAND, auts) == 40 << 5
    again = ue.receive(answer(auts_request, 401, challenge(41 << 5)), 0.2)
    assert again is not None
    ue.receive(answer(again, 200), 0.3)
    assert (ue.record.ok, ue.record.failures) == (True, ["resynchronisation"])


def test_a_challenge_of_another_key_is_not_answered() -> None:
    ue = made()
    assert ue.receive(answer(ue.begin(0.0, 600), 401, challenge(64, k=bytes(16))), 0.1) is None
    assert ue.record.outcome == "mac-failure"


def test_a_nonce_that_is_none_is_not_answered() -> None:
    ue = made()
    ue.receive(answer(ue.begin(0.0, 600), 401, 'WWW-Authenticate: Digest nonce="QUJD"'), 0.1)
    assert ue.record.outcome == "invalid-challenge"


def test_challenges_without_end_come_to_an_end() -> None:
    ue = made()
    request = ue.begin(0.0, 600)
    for number in range(2, 5):
        following = ue.receive(answer(request, 401, challenge(number << 5)), 0.1)
        assert following is not None
        request = following
    assert ue.receive(answer(request, 401, challenge(9 << 5)), 0.1) is None
    assert ue.record.outcome == "401"


def test_what_is_not_awaited_is_passed_over() -> None:
    ue = made()
    first = ue.begin(0.0, 600)
    assert ue.receive(answer(first, 200).replace(b"branch=", b"branch=z"), 0.1) is None
    assert ue.receive(b"\x00" * 40, 0.1) is None
    assert ue.state is State.TRYING
    ue.receive(answer(first, 403), 0.1)
    assert ue.receive(answer(first, 200), 0.2) is None
    assert ue.record.outcome == "403"


def test_the_next_registration_counts_on() -> None:
    ue = made()
    first = ue.begin(0.0, 600)
    ue.receive(answer(first, 403), 0.1)
    second = ue.begin(1.0, 0)
    assert b"CSeq: 1 REGISTER" in first
    assert b"CSeq: 2 REGISTER" in second
    assert b"Expires: 0" in second
    assert ue.record.failures == []
