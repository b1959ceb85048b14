"""Each rule about the challenge finds its cause and stays silent where AKA went well."""

from types import SimpleNamespace

import pytest

from lab.evidence.checks.authentication import digest_response
from lab.evidence.doctor import authentication
from lab.evidence.doctor.view import View
from lab.evidence.texts import digest_parameters

from .conftest import ANSWERED, ASKED

MD5 = 'Digest realm="x", nonce="n", algorithm=MD5'
NAMELESS = 'Digest realm="x", nonce="n"'
AUTS = ANSWERED + ', auts="YXV0cw=="'
NO_ALGORITHM = ASKED.replace(", algorithm=AKAv1-MD5", "")


def challenged(case: SimpleNamespace, first: str = ASKED, challenge: str = "") -> View:
    given = {"challenge": challenge} if challenge else {}
    view: View = case.see(case.register(1, authorization=first), case.response(2, 401, **given))
    return view


@pytest.mark.parametrize("challenge", [MD5, NAMELESS])
def test_md5_for_aka(case: SimpleNamespace, challenge: str) -> None:
    view = challenged(case, challenge=challenge)
    assert "the challenge names MD5" in next(iter(authentication.md5_chosen(view))).detail
    assert list(authentication.algorithm_missing(view)) == []
    assert list(authentication.ue_rejects_network(view)) == []


@pytest.mark.parametrize(("first", "has"), [(NO_ALGORITHM, "without algorithm"), ("", "no Authorization header")])
def test_no_algorithm_in_the_first_register(case: SimpleNamespace, first: str, has: str) -> None:
    view = challenged(case, first, MD5)
    assert has in next(iter(authentication.algorithm_missing(view))).detail
    assert list(authentication.md5_chosen(view)) == []
    assert list(authentication.algorithm_missing(challenged(case, first))) == []


def test_the_scheme_of_the_mar_counts_before_the_challenge(case: SimpleNamespace) -> None:
    hop = case.hop(2, 5006, asked=(case.avp(608, "Digest-MD5"),))
    view = case.see(case.register(1), hop, case.response(9, 403))
    assert "the MAR asks for Digest-MD5" in next(iter(authentication.md5_chosen(view))).detail
    fine = case.hop(2, 5006, asked=(case.avp(608, "Unknown"),))
    assert list(authentication.md5_chosen(case.see(case.register(1), fine, case.response(9, 403)))) == []


def test_a_challenge_without_an_answer(case: SimpleNamespace) -> None:
    (found,) = authentication.ue_rejects_network(challenged(case))
    assert found.frames == (1, 2)
    assert list(authentication.wrong_response(challenged(case))) == []


def test_auts_that_heals_is_no_illness_and_one_that_loops_is(case: SimpleNamespace) -> None:
    start = (case.register(1), case.response(2, 401), case.register(3, 2, AUTS), case.response(6, 401, 2))
    healed = case.see(*start, case.register(7, 3, ANSWERED), case.response(8, 200, 3))
    assert list(authentication.resynchronisation_loops(healed)) == []
    looping = case.see(*start)
    (found,) = authentication.resynchronisation_loops(looping)
    assert "an AUTS of the UE, and no success: no MAR carries RAND and AUTS" in found.detail
    assert list(authentication.ue_rejects_network(looping)) == []
    assert list(authentication.wrong_response(looping)) == []


def test_auts_in_the_mar_is_seen(case: SimpleNamespace, make: SimpleNamespace) -> None:
    octets = (610).to_bytes(4, "big") + b"\xc0" + (42).to_bytes(3, "big") + (10415).to_bytes(4, "big") + b"\1" * 30
    carried = make.avp(610, "")._replace(octets=octets.hex())
    hop = case.hop(4, 2001, asked=(make.avp(612, "", carried),))
    view = case.see(
        case.register(1), case.response(2, 401), case.register(3, 2, AUTS), hop, case.response(6, 401, 2)
    )  # fmt: skip
    (found,) = authentication.resynchronisation_loops(view)
    assert "the MAR carries it" in found.detail
    assert found.frames == (3, 4, 5)


def test_a_response_is_compared_with_xres_where_there_is_one(case: SimpleNamespace, make: SimpleNamespace) -> None:
    xres = (610).to_bytes(4, "big") + b"\xc0" + (20).to_bytes(3, "big") + (10415).to_bytes(4, "big") + b"\1" * 8
    item = make.avp(612, "", make.avp(610, "")._replace(octets=xres.hex(), vendor_id=10415))
    right = digest_response(digest_parameters(ANSWERED), "REGISTER", b"\1" * 8)

    def answered(response: str) -> View:
        given = ANSWERED.replace('response="r"', f'response="{response}"')
        view: View = case.see(
            case.register(1), case.hop(2, 2001, avps=(item,)), case.response(4, 401), case.register(5, 2, given),
            case.response(6, 403, 2),
        )  # fmt: skip
        return view

    assert "is not the digest made with XRES" in next(iter(authentication.wrong_response(answered("r")))).detail
    assert list(authentication.wrong_response(answered(right))) == []


def test_without_an_maa_the_403_is_what_there_is(case: SimpleNamespace) -> None:
    start = (case.register(1), case.response(2, 401), case.register(3, 2, ANSWERED))
    (found,) = authentication.wrong_response(case.see(*start, case.response(4, 403, 2)))
    assert "XRES is not in the capture" in found.detail
    assert list(authentication.wrong_response(case.see(*start, case.response(4, 504, 2)))) == []
