"""Migration agreements: steps 3 and 8 of 10.1.X.1."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mmserver.configuration.agreements import check_inbound, check_realms, earliest, in_force, reason_not_outbound
from mmserver.configuration.errors import InboundUserRefused, OwnMcServiceId, PrimarySystemNotTrusted, Refusal
from mmserver.messages import IdentitySet, PartnerAccessRequest

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def iso(time: datetime) -> str:
    return time.isoformat()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"valid_until": iso(NOW)}, False),
        ({"valid_until": iso(NOW + DAY)}, True),
        ({"valid_from": iso(NOW)}, True),
        ({"valid_from": iso(NOW + DAY)}, False),
    ],
)
def test_an_agreement_has_its_time(catalogue_of, partner, changes: dict[str, str], expected: bool) -> None:
    assert in_force(catalogue_of("mc1", partner("mc2", **changes)).partners["mc2"], NOW) is expected


def test_each_reason_why_a_user_may_not_go_somewhere(catalogue_of, partner) -> None:
    catalogue = catalogue_of(
        "mc1",
        partner("mc2"),
        partner("mc3", outbound_users=["sip:carol@mc1.lab"]),
        partner("mc4", valid_until=iso(NOW - DAY)),
        partner("mc5", outbound_users=[], outbound_groups=["crew-7"]),
        partner("mc6", valid_from=iso(NOW + DAY)),
        groups=[{"name": "crew-7", "members": ["sip:alice@mc1.lab"]}],
    )
    alice, carol = catalogue.users["sip:alice@mc1.lab"], catalogue.users["sip:carol@mc1.lab"]

    def reasons(user: Any) -> list[str]:
        return [reason_not_outbound(user, one, catalogue, NOW) for one in catalogue.partners.values()]

    not_covered = "the agreement does not cover the user"
    over, not_yet = (f"in force {when} 2026-1" for when in ("until", "from"))
    found = reasons(alice)
    assert (found[0], found[1], found[3]) == ("", not_covered, "")
    assert over in found[2] and not_yet in found[4]
    assert [reasons(carol)[number] for number in (0, 1, 3)] == ["", "", not_covered]
    choosy = alice.model_copy(update={"partners": ("mc3",)})
    assert reasons(choosy)[0] == "it is not among the user's partners"


def access(**changes: Any) -> PartnerAccessRequest:
    body = {
        "mc_service_ids": ["sip:alice@mc1.lab"],
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": {
            "private_user_identity": "mig-1@ims.mc1.lab",
            "public_user_identities": ["sip:mig-1@ims.mc1.lab", "tel:+358401"],
        },
        **changes,
    }
    return PartnerAccessRequest.model_validate(body)


def check(catalogue: Any, request: PartnerAccessRequest) -> None:
    check_inbound(catalogue.partners["mc1"], request, catalogue, NOW)


def test_a_user_of_a_trusted_primary_system_may_come_in(catalogue_of, partner) -> None:
    check(catalogue_of("mc2", partner("mc1")), access())
    crew = [{"name": "crew-7", "members": ["sip:alice@mc1.lab"]}]
    check(catalogue_of("mc2", partner("mc1", inbound_users=[], inbound_groups=["crew-7"]), groups=crew), access())


@pytest.mark.parametrize(
    "mc_service_id",
    [
        "sip:bob@mc2.lab",
        "SIP:BOB@MC2.LAB",
        "sips:bob@mc2.lab",
        "sip:b%6fb@mc2.lab",
        "sip:bob@mc2.lab;user=phone",
        "sip:bob@mc2.lab.",
        "sip:alice@other.mc2.example",
        "sip:alice@OTHER.mc2.example:5060",
        "sip:alice%40other.mc2.example",
    ],
)
def test_an_inbound_user_never_is_one_of_ours(catalogue_of, partner, mc_service_id: str) -> None:
    """Whatever way the MC service ID is written (CSC-17)."""
    bob = {"mc_service_id": "sip:bob@mc2.lab"}
    system = {"name": "mc2", "home_domain": "ims.mc2.lab", "mc_service_id_domains": ["other.mc2.example"]}
    catalogue = catalogue_of("mc2", partner("mc1"), users=[bob], system=system)
    with pytest.raises(OwnMcServiceId) as raised:
        check(catalogue, access(mc_service_ids=["sip:alice@mc1.lab", mc_service_id]))
    assert raised.value.step == "10.1.X.1-8"


@pytest.mark.parametrize(
    ("terms", "changes", "refusal"),
    [
        ({"valid_until": iso(NOW - DAY)}, {}, PrimarySystemNotTrusted),
        ({"migration_management_servers": []}, {}, PrimarySystemNotTrusted),
        ({}, {"migration_management_server": "mms.mc3.lab"}, PrimarySystemNotTrusted),
        (
            {},
            {
                "primary_mc_system_sip_identities": {
                    "private_user_identity": "mig-1@ims.mc2.lab",
                    "public_user_identities": ["sip:mig-1@ims.mc1.lab"],
                }
            },
            PrimarySystemNotTrusted,
        ),
        (
            {},
            {
                "primary_mc_system_sip_identities": {
                    "private_user_identity": "mig-1@ims.mc1.lab",
                    "public_user_identities": ["sip:mig-1@ims.mc1.lab", "sip:bob@ims.mc2.lab"],
                }
            },
            PrimarySystemNotTrusted,
        ),
        ({"inbound_users": []}, {}, InboundUserRefused),
        ({"inbound_users": ["sip:carol@mc1.lab"]}, {}, InboundUserRefused),
        (
            {"inbound_users": ["sip:alice@mc1.lab"]},
            {"mc_service_ids": ["sip:alice@mc1.lab", "sip:carol@mc1.lab"]},
            InboundUserRefused,
        ),
    ],
)
def test_each_refusal_of_step_8(
    catalogue_of, partner, terms: dict[str, Any], changes: dict[str, Any], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal) as raised:
        check(catalogue_of("mc2", partner("mc1", **terms)), access(**changes))
    assert raised.value.step == "10.1.X.1-8"


def test_a_refusal_names_no_identity(catalogue_of, partner) -> None:
    stranger = IdentitySet(private_user_identity="x@evil.example", public_user_identities=("sip:x@evil.example",))
    with pytest.raises(PrimarySystemNotTrusted) as raised:
        check_realms(catalogue_of("mc2", partner("mc1")).partners["mc1"], stranger)
    assert "evil" not in raised.value.detail


def test_the_earliest_of_the_times_that_are_set() -> None:
    assert earliest(None, NOW + DAY, NOW) == NOW
    assert earliest(None, None) is None
