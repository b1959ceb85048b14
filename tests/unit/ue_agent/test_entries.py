"""A UE's entries of MC systems."""

import pytest

from mmserver.messages import ConnectionDetailsResponse
from ue_agent.entries import default_sip_uri, partner_entry
from ue_agent.errors import HttpError

DETAILS = {
    "partner_mc_system": "mc2",
    "partner_mc_system_sip_identities": {
        "private_user_identity": "m@d2",
        "public_user_identities": ["tel:+1", "sip:m@d2"],
    },
    "initial_ue_configuration": {
        "mc_system": "mc2", "home_domain": "d2", "p_cscf": ["sip:10.0.0.1"], "plmn": "00102", "idms_issuer": "i",
        "idms_auth_endpoint": "a", "idms_token_endpoint": "t", "cms": "c", "gms": "g", "kms": "k",
    },
    "valid_until": "2099-01-01T00:00:00Z",
}  # fmt: skip


def details(**changes: object) -> ConnectionDetailsResponse:
    return ConnectionDetailsResponse.model_validate(
        {**DETAILS, "initial_ue_configuration": {**DETAILS["initial_ue_configuration"], **changes}}
    )


def test_a_partners_entry_is_what_step_13_says() -> None:
    entry = partner_entry(details())
    assert (entry.mc_system, entry.role, entry.home_domain, entry.p_cscf) == ("mc2", "partner", "d2", ("sip:10.0.0.1",))
    assert entry.identities.private_user_identity == "m@d2" and entry.valid_until is not None


@pytest.mark.parametrize("p_cscf", ["sip:x>y", "http://x", "sip:h;evil=1"])
def test_a_p_cscf_that_pjsip_may_not_see(p_cscf) -> None:
    with pytest.raises(HttpError, match="p_cscf"):
        partner_entry(details(p_cscf=[p_cscf]))


def test_the_first_sip_uri_is_registered() -> None:
    assert default_sip_uri(partner_entry(details())) == "sip:m@d2"
