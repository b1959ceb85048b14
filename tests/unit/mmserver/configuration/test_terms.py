"""Users, groups and agreements as data, from a file or over the API."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mmserver.configuration.terms import Partner, ServiceArea, canonical, mc_domain_of


def test_over_the_api_nothing_names_a_file_of_this_host(partner, files: Path) -> None:
    """Not even to find out whether there is one."""
    pem = (files / "ca.pem").read_text()
    assert Partner.model_validate(partner("mc2", ca=pem)).ca == pem
    for name in ("ca.pem", "/etc/passwd"):
        with pytest.raises(ValidationError, match="a file cannot be named here"):
            Partner.model_validate(partner("mc2", ca=name))
        with pytest.raises(ValidationError, match="a file cannot be named here"):
            ServiceArea.model_validate({"geojson": name})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"valid_until": "0001-01-01T00:00:00+14:00"}, "no calendar"),
        ({"valid_until": "9999-12-31T23:59:59-14:00"}, "no calendar"),
        ({"services": []}, "at least 1"),
        ({"services": ["voice"]}, "mcptt"),
        ({"outbound_max": -1}, "greater than or equal to 0"),
        ({"outbound_groups": ["a b"]}, "pattern"),
        ({"outbound_users": ["sip:a\u0000b@mc1.lab"]}, "pattern"),
        ({"outbound_users": ["sip:\u0430lice@mc1.lab"]}, "pattern"),
        ({"cms": "http://cms"}, "https"),
        ({"cms": "https://operator:secret@cms"}, "without a name or a password"),
        ({"name": "MC 2"}, "pattern"),
    ],
)
def test_each_fault_is_found(partner, files: Path, changes: dict[str, Any], fault: str) -> None:
    pem = (files / "ca.pem").read_text()
    with pytest.raises(ValidationError, match=fault):
        Partner.model_validate({**partner("mc2", ca=pem), **changes})


def test_ways_to_write_one_mc_service_id_have_one_form() -> None:
    same = ["sip:bob@mc2.lab", "SIPS:BOB@MC2.LAB", "sip:%62ob@mc2.lab", "sip:bob@mc2.lab;x=y?z", "sip://bob@mc2.lab."]
    assert {canonical(text) for text in same} == {"bob@mc2.lab"}
    assert mc_domain_of("sip:bob@MC2.lab:5060") == "mc2.lab"
    assert mc_domain_of("tel:+358401") == ""
