"""What no agreement covers is refused, with the step that asked."""

from collections.abc import Callable

import pytest

from mmserver.identity import parse_sip_identities
from mmserver.migration.agreements import Agreements
from mmserver.migration.config import MmsConfig
from mmserver.migration.errors import ForeignMigrationManagementServer, IdentitiesOutsideRealm, UnknownPartner


@pytest.fixture
def agreements(make_config: Callable[..., MmsConfig]) -> Agreements:
    return Agreements(make_config().partners)


def test_an_agreement_is_found_by_name(agreements: Agreements) -> None:
    assert agreements.require("mc1", None).realms == ("ims.mc1.lab",)
    with pytest.raises(UnknownPartner) as caught:
        agreements.require("mc9", "10.1.X.1-5")
    assert caught.value.step == "10.1.X.1-5"


@pytest.mark.parametrize(
    ("system", "identifier", "domain", "refusal"),
    [
        ("mc1", "mms.mc1.lab", "ims.mc1.lab", None),
        ("mc1", "mms.mc3.lab", "ims.mc1.lab", ForeignMigrationManagementServer),
        ("mc1", "mms.mc1.lab", "ims.mc3.lab", IdentitiesOutsideRealm),
        ("mc9", "mms.mc1.lab", "ims.mc1.lab", UnknownPartner),
    ],
)
def test_a_primary_system_lends_only_its_own(
    agreements: Agreements, system: str, identifier: str, domain: str, refusal: type[Exception] | None
) -> None:
    lent = parse_sip_identities(f"u@{domain}", [f"sip:u@{domain}"])
    if refusal is None:
        agreements.require_agreed(system, identifier, lent, None)
        return
    with pytest.raises(refusal):
        agreements.require_agreed(system, identifier, lent, None)


def test_agreements_are_replaced_for_all_who_hold_them(
    agreements: Agreements, make_config: Callable[..., MmsConfig]
) -> None:
    partner = make_config().partners[0]
    agreements.replace([partner.model_copy(update={"name": "mc9"})])
    assert ("mc1" in agreements, "mc9" in agreements) == (False, True)
    assert agreements.find("mc1") is None
    assert [one.name for one in agreements.all()] == ["mc9"]
    with pytest.raises(UnknownPartner):
        agreements.require("mc1", None)
