"""AUTN and AUTS, both sides (TS 33.102 §6.3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_agent.aka.aka import encode_auts, generate_vector, verify_autn, verify_auts
from ue_agent.aka.errors import InvalidChallenge, MacFailure
from ue_agent.aka.milenage import Milenage

PROPERTY = settings(deadline=None, derandomize=True)
MILENAGE = Milenage(bytes(range(16)), bytes(range(16)))
RAND = bytes(16)
AMF = b"\x80\x00"


def test_autn_is_concealed_sqn_then_amf_then_mac_a() -> None:
    """TS 35.208 §4.3.1: SQN xor AK, AMF, f1."""
    milenage = Milenage(
        bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"), bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf")
    )
    rand = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
    vector = generate_vector(milenage, rand, bytes.fromhex("ff9bb4d0b607"), bytes.fromhex("b9b9"))
    assert vector.autn.hex() == "55f328b43577" + "b9b9" + "4a9ffac354dfafb3"
    assert vector.xres.hex() == "a54211d5e3ba50bf"


def test_the_isim_reads_what_the_hss_wrote() -> None:
    vector = generate_vector(MILENAGE, RAND, 74, AMF)
    challenge = verify_autn(MILENAGE, RAND, vector.autn)
    assert (challenge.sqn, challenge.amf) == (74, AMF)
    assert (challenge.res, challenge.ck, challenge.ik) == (vector.xres, vector.ck, vector.ik)


def test_secrets_are_not_printed() -> None:
    vector = generate_vector(MILENAGE, RAND, 74, AMF)
    challenge = verify_autn(MILENAGE, RAND, vector.autn)
    for secret in (vector.xres, vector.ck, vector.ik):
        assert repr(secret) not in repr(vector) + repr(challenge)


def test_another_k_is_a_mac_failure() -> None:
    autn = generate_vector(Milenage(bytes(16), bytes(16)), RAND, 74, AMF).autn
    with pytest.raises(MacFailure, match="MAC-A"):
        verify_autn(MILENAGE, RAND, autn)


def test_auts_of_libosmocore_both_ways() -> None:
    """libosmocore tests/auth/milenage_test.c."""
    auts = bytes.fromhex("8711a0ec9e1637df17f80b384ee4")
    assert encode_auts(MILENAGE, RAND, 31) == auts
    assert verify_auts(MILENAGE, RAND, auts) == 31


def test_a_wrong_mac_s_is_a_mac_failure() -> None:
    with pytest.raises(MacFailure, match="MAC-S"):
        verify_auts(MILENAGE, RAND, bytes.fromhex("8711a0ec9e1637df17f80b384ee5"))


@pytest.mark.parametrize(("rand", "token"), [(RAND[1:], bytes(16)), (RAND, bytes(15)), (b"", b"")])
def test_autn_and_auts_of_a_wrong_length_are_invalid(rand: bytes, token: bytes) -> None:
    with pytest.raises(InvalidChallenge, match="wanted 16 and 16"):
        verify_autn(MILENAGE, rand, token)
    with pytest.raises(InvalidChallenge, match="wanted 16 and 14"):
        verify_auts(MILENAGE, rand, token)


@pytest.mark.parametrize("sqn", [-1, 1 << 48])
def test_sqn_outside_48_bits_is_a_mistake(sqn: int) -> None:
    with pytest.raises(ValueError, match="SQN"):
        generate_vector(MILENAGE, RAND, sqn, AMF)


@PROPERTY
@given(st.binary(min_size=16, max_size=16), st.integers(0, (1 << 48) - 1))
def test_sqn_survives_autn_and_auts(rand: bytes, sqn: int) -> None:
    assert verify_autn(MILENAGE, rand, generate_vector(MILENAGE, rand, sqn, AMF).autn).sqn == sqn
    assert verify_auts(MILENAGE, rand, encode_auts(MILENAGE, rand, sqn)) == sqn


@PROPERTY
@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_octets_end_in_a_documented_error(rand: bytes, token: bytes) -> None:
    for verify in (verify_autn, verify_auts):
        with pytest.raises((InvalidChallenge, MacFailure)):
            verify(MILENAGE, rand, token)
