"""Migration agreements: steps 3 and 8 of 10.1.X.1."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mmserver.configuration.agreements import check_inbound, check_realms, earliest, in_force, partners_for
from mmserver.configuration.errors import InboundUserRefused, PrimarySystemNotTrusted, Refusal
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
def test_an_agreement_has_its_time(make_config, partner, changes: dict[str, str], expected: bool) -> None:
    assert in_force(make_config("mc1", partner("mc2", **changes)).partners[0], NOW) is expected


def test_partners_for_a_user_are_those_whose_agreement_covers_them(make_config, partner) -> None:
    config = make_config(
        "mc1",
        partner("mc2"),
        partner("mc3", outbound_users=["sip:carol@mc1.lab"]),
        partner("mc4", valid_until=iso(NOW - DAY)),
        partner("mc5", outbound_users=[]),
    )
    alice, carol, _ = config.users
    assert [one.name for one in partners_for([alice], config.partners, NOW)] == ["mc2"]
    assert [one.name for one in partners_for([carol], config.partners, NOW)] == ["mc2", "mc3"]
    assert [one.name for one in partners_for([alice, carol], config.partners, NOW)] == ["mc2"]
    choosy = alice.model_copy(update={"partners": ("mc3",)})
    assert partners_for([choosy], config.partners, NOW) == ()


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


def test_a_user_of_a_trusted_primary_system_may_come_in(make_config, partner) -> None:
    check_inbound(make_config("mc2", partner("mc1")).partners[0], access(), NOW)


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
    make_config, partner, terms: dict[str, Any], changes: dict[str, Any], refusal: type[Refusal]
) -> None:
    with pytest.raises(refusal) as raised:
        check_inbound(make_config("mc2", partner("mc1", **terms)).partners[0], access(**changes), NOW)
    assert raised.value.step == "10.1.X.1-8"


def test_a_refusal_names_no_identity(make_config, partner) -> None:
    stranger = IdentitySet(private_user_identity="x@evil.example", public_user_identities=("sip:x@evil.example",))
    with pytest.raises(PrimarySystemNotTrusted) as raised:
        check_realms(make_config("mc2", partner("mc1")).partners[0], stranger)
    assert "evil" not in raised.value.detail


def test_the_earliest_of_the_times_that_are_set() -> None:
    assert earliest(None, NOW + DAY, NOW) == NOW
    assert earliest(None, None) is None
