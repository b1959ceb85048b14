"""What each trial means, and the mend that goes with it."""

import pytest

from lab.attach.preflight import judge_capabilities, judge_certificate, judge_cscf, judge_name, judge_reach

CX = [[10415, 16777216]]


def test_a_cea_with_cx_is_good() -> None:
    finding = judge_capabilities("hss.x", {"result": 2001, "origin_host": "hss.x", "applications": [[0, 1], *CX]})
    assert finding.ok
    assert finding.line() == "ok    CER/CEA with hss.x: 2001, Cx"


@pytest.mark.parametrize(
    ("cea", "detail", "mend"),
    [
        ({"reason": "no answer within 3 s"}, "no answer within 3 s", "is it a Diameter server"),
        ({"result": 3010, "origin_host": "hss.x"}, "Result-Code 3010", "enter this name among the HSS's"),
        ({"result": 5010, "origin_host": "hss.x"}, "Result-Code 5010", "the HSS must have Cx"),
        ({"result": 5012, "origin_host": "hss.x"}, "Result-Code 5012", "see its log"),
        (
            {"result": 2001, "origin_host": "hss.y", "applications": CX},
            "it says that it is hss.y",
            'core.hss.host = "h',
        ),
        ({"result": 2001, "origin_host": "hss.x", "applications": []}, "no Cx among []", "it must advertise"),
    ],
)
def test_a_cea_that_will_not_do_says_why(cea: dict[str, object], detail: str, mend: str) -> None:
    finding = judge_capabilities("hss.x", cea)
    assert (finding.ok, finding.detail) == (False, detail)
    assert finding.mend.startswith(mend)
    assert f"mend: {mend}" in finding.line()


def test_a_name_agrees_differs_or_is_not_known() -> None:
    assert judge_name("a.x", "10.0.0.1", ["10.0.0.1"]).ok
    assert judge_name("a.x", "10.0.0.1", []).ok
    assert not judge_name("a.x", "10.0.0.1", ["10.0.0.2"]).ok


def test_a_certificate_holds_its_host() -> None:
    assert judge_certificate("a.x", ["a.x", "b.x"]).ok
    assert judge_certificate("a.x", []).detail == "SAN empty"


def test_a_cscf_is_open_at_our_proxies_or_not() -> None:
    assert judge_cscf("i.x", {"i.x": "open"}).ok
    assert "cdp.xml" in judge_cscf("i.x", {"i.x": "not open"}).mend
    assert judge_cscf("i.x", {}).detail == "Diameter connection unknown"


def test_what_answers_is_reached() -> None:
    assert judge_reach("P-CSCF", "", "mend").ok
    assert not judge_reach("P-CSCF", "no answer", "mend").ok
