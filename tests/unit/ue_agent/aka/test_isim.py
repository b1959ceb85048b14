"""The software ISIM (TS 31.103, TS 33.102 §6.3.3)."""

import pytest

from ue_agent.aka.aka import generate_vector, verify_auts
from ue_agent.aka.errors import MacFailure, SynchronisationFailure
from ue_agent.aka.isim import Isim
from ue_agent.aka.milenage import Milenage
from ue_agent.aka.sequence import next_sqn

K, OPC, RAND, AMF = bytes(range(16)), bytes(range(16, 32)), b"\x5a" * 16, b"\x80\x00"
HSS = Milenage(K, OPC)


def make_isim(k: bytes = K, state: tuple[int, ...] | None = None) -> Isim:
    return Isim(
        "001010000000001@ims.mc1.lab", ["sip:alice@ims.mc1.lab"], "ims.mc1.lab", ["sip:10.77.1.10:5060"], k, OPC, state
    )


def test_it_holds_the_files_of_an_isim() -> None:
    isim = make_isim()
    assert isim.private_user_identity == "001010000000001@ims.mc1.lab"
    assert isim.public_user_identities == ("sip:alice@ims.mc1.lab",)
    assert isim.home_domain == "ims.mc1.lab"
    assert isim.p_cscf == ("sip:10.77.1.10:5060",)


def test_a_fresh_challenge_is_answered_with_res_ck_ik() -> None:
    vector = generate_vector(HSS, RAND, next_sqn(0, 4), AMF)
    result = make_isim().authenticate(RAND, vector.autn)
    assert (result.res, result.ck, result.ik) == (vector.xres, vector.ck, vector.ik)
    assert repr(vector.xres) not in repr(result)


def test_a_replayed_challenge_gives_auts_with_sqn_ms_and_changes_nothing() -> None:
    isim = make_isim()
    autn = generate_vector(HSS, RAND, next_sqn(0, 4), AMF).autn
    isim.authenticate(RAND, autn)
    before = isim.state
    with pytest.raises(SynchronisationFailure) as failure:
        isim.authenticate(RAND, autn)
    assert verify_auts(HSS, RAND, failure.value.auts) == 1 << 5 | 4
    assert isim.state == before


def test_another_card_refuses_the_challenge() -> None:
    isim = make_isim(k=bytes(16))
    with pytest.raises(MacFailure):
        isim.authenticate(RAND, generate_vector(HSS, RAND, next_sqn(0, 4), AMF).autn)
    assert isim.state == (0,) * 32


def test_the_state_outlives_the_card() -> None:
    isim = make_isim()
    autn = generate_vector(HSS, RAND, next_sqn(0, 4), AMF).autn
    isim.authenticate(RAND, autn)
    with pytest.raises(SynchronisationFailure):
        make_isim(state=isim.state).authenticate(RAND, autn)


def test_a_card_without_public_user_identity_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one public user identity"):
        Isim("a@b", [], "b", [], K, OPC)
