"""Items of an MAA and the digest of a UE, against published values (RFC 2617 §3.5; RFC 3310 has no numbers)."""

from types import SimpleNamespace

import pytest

from lab.evidence.checks.authentication import digest_response, item_of, key_faults, member, nonce_of, one_aka_item
from lab.evidence.messages import Avp

RFC_2617 = {
    "username": "Mufasa", "realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    "uri": "/dir/index.html", "qop": "auth", "nc": "00000001", "cnonce": "0a4f113b",
}  # fmt: skip


def test_the_digest_of_rfc_2617_comes_out() -> None:
    assert digest_response(RFC_2617, "GET", b"Circle Of Life") == "6629fae49393a05397450978507c4ef1"


def test_without_qop_the_older_digest_is_made() -> None:
    given = {key: value for key, value in RFC_2617.items() if key != "qop"}
    assert digest_response(given, "GET", b"Circle Of Life") == "670fd8c2df070c60b045671b8b24ff02"


def item(make: SimpleNamespace, rand_autn: int = 32, xres: int = 8, scheme: str = "Digest-AKAv1-MD5") -> Avp:
    group: Avp = make.avp(612, "", make.avp(608, scheme), make.avp(609, "r" * rand_autn), make.avp(610, "x" * xres))
    return group


def test_a_whole_item_has_no_fault(make: SimpleNamespace) -> None:
    answer = make.diameter(1, "hss", "proxy1", item(make), make.avp(607, "1"), request=False)
    assert list(one_aka_item(answer)) == []
    assert member(answer, 610) == b"x" * 8
    assert nonce_of(answer).startswith("cnJy")
    assert item_of(answer)


@pytest.mark.parametrize("changes", [{"rand_autn": 31}, {"xres": 3}, {"xres": 17}, {"scheme": "SIP Digest"}])
def test_an_item_of_another_form_has_one_fault(make: SimpleNamespace, changes: dict[str, object]) -> None:
    answer = make.diameter(1, "hss", "proxy1", item(make, **changes), make.avp(607, "1"), request=False)
    assert len(list(one_aka_item(answer))) == 1


def test_nothing_comes_of_no_answer() -> None:
    assert (item_of(None), member(None, 610), nonce_of(None)) == ("", b"", "")


def test_keys_in_any_challenge_are_a_fault(make: SimpleNamespace) -> None:
    clean = make.sip(1, "pcscf", "ue", 401, www_authenticate='Digest nonce="a", algorithm=AKAv1-MD5')
    assert list(key_faults(clean)) == []
    assert list(key_faults(make.sip(1, "pcscf", "ue", 401, www_authenticate='Digest nonce="a", IK="00"')))
