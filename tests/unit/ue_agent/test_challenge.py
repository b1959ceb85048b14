"""The card's side of a digest challenge; vectors of TS 35.208 §4.3 test set 1, the digest by hand."""

import base64
import hashlib

import pytest

from ue_agent.aka.aka import generate_vector, verify_auts
from ue_agent.aka.isim import Isim
from ue_agent.aka.milenage import Milenage
from ue_agent.challenge import REMEMBERED_MAX, Answer, ChallengeResponder, DigestQuestion
from ue_agent.errors import StoreError

K = bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc")
OPC = bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
RES = bytes.fromhex("a54211d5e3ba50bf")


def nonce(sqn: int = 1 << 5, rand: bytes = RAND, k: bytes = K) -> str:
    vector = generate_vector(Milenage(k, OPC), rand, sqn, b"\x80\x00")
    return base64.b64encode(vector.rand + vector.autn).decode()


def question(of: str, **changes: str) -> DigestQuestion:
    members = {"username": "u@d", "realm": "d", "nonce": of, "uri": "sip:d", "method": "REGISTER",
               "qop": "auth", "nc": "00000001", "cnonce": "c"} | changes  # fmt: skip
    return DigestQuestion(**members)


class Disk:
    def __init__(self) -> None:
        self.saved: list[tuple[int, ...]] = []
        self.full = False

    def save(self, state: tuple[int, ...]) -> None:
        if self.full:
            raise StoreError("full")
        self.saved.append(state)


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def responder(disk) -> ChallengeResponder:
    return ChallengeResponder(Isim("u@d", ["sip:u@d"], "d", ["sip:p"], K, OPC), disk.save)


def md5(octets: bytes) -> str:
    return hashlib.md5(octets).hexdigest()


@pytest.mark.parametrize("qop", ["auth", ""])
def test_response_is_the_digest_with_res_as_password(responder, qop) -> None:
    """RFC 3310 §3.3, RFC 2617 §3.2.2.1."""
    of = nonce()
    middle = "00000001:c:auth:" if qop else ""
    expected = md5(f"{md5(b'u@d:d:' + RES)}:{of}:{middle}{md5(b'REGISTER:sip:d')}".encode())
    assert responder.answer(question(of, qop=qop)) == Answer(expected)


def test_the_number_is_saved_before_the_answer_and_once(responder, disk) -> None:
    of = nonce()
    first = responder.answer(question(of))
    assert [state[0] for state in disk.saved] == [1]
    assert responder.answer(question(of)) == first
    assert responder.answer(question(of, nc="00000002")).response not in ("", first.response)
    assert len(disk.saved) == 1


def test_an_old_number_gives_auts_with_the_empty_password(responder, disk) -> None:
    """RFC 3310 §3.4, TS 33.102 §6.3.5."""
    responder.answer(question(nonce(9 << 5)))
    of = nonce(8 << 5, bytes(16))
    answer = responder.answer(question(of, qop=""))
    assert verify_auts(Milenage(K, OPC), bytes(16), base64.b64decode(answer.auts)) == 9 << 5
    assert answer.response == md5(f"{md5(b'u@d:d:')}:{of}:{md5(b'REGISTER:sip:d')}".encode())
    assert len(disk.saved) == 1


def test_a_foreign_network_gets_no_response(responder, disk) -> None:
    assert responder.answer(question(nonce(k=bytes(16)))) == Answer(refusal="mac-failure")
    assert disk.saved == []


@pytest.mark.parametrize("of", ["", "AA==", "not base64!", "A" * 5000])
def test_a_nonce_that_is_none(responder, of) -> None:
    assert responder.answer(question(of)) == Answer(refusal="invalid-challenge")


def test_qop_without_cnonce(responder) -> None:
    assert responder.answer(question(nonce(), cnonce="")) == Answer(refusal="invalid-challenge")


def test_nothing_leaves_when_the_disk_refuses(responder, disk) -> None:
    disk.full = True
    assert responder.answer(question(nonce())) == Answer(refusal="isim-unavailable")
    disk.full = False
    assert responder.answer(question(nonce())).response


def test_memory_is_bounded(responder) -> None:
    for seq in range(1, REMEMBERED_MAX + 5):
        assert responder.answer(question(nonce(seq << 5))).response
    assert responder.answer(question(nonce(1 << 5))).auts
    assert not responder.answer(question(nonce((REMEMBERED_MAX + 4) << 5))).auts
