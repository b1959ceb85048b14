"""Requests as the OpenAPI document shows them; a test holds each to its own model."""

from typing import Any, Final

from fastapi import Body

_CA: Final = "-----BEGIN CERTIFICATE-----\nMIIB...\n-----END CERTIFICATE-----\n"
_PRIMARY_SET: Final = {
    "private_user_identity": "mig-p5xw0c8jr3kd7qhz@ims.mc1.example",
    "public_user_identities": ["sip:mig-p5xw0c8jr3kd7qhz@ims.mc1.example"],
}
_NAMED: Final = {
    "migration_management_server": "mms.mc1.example",
    "primary_mc_system_sip_identities": _PRIMARY_SET,
}
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "ConnectionDetailsRequest": {
        "location_information": {"coordinates": {"latitude": 60.2, "longitude": 25.2}, "tracking_area": "00102-0002"},
        "mc_service_ids": ["sip:alice@mc1.example"],
        "default_identities": {
            "private_user_identity": "001010000000001@ims.mc1.example",
            "public_user_identities": ["sip:alice@ims.mc1.example"],
        },
    },
    "PartnerAccessRequest": {
        **_NAMED,
        "mc_service_ids": ["sip:alice@mc1.example"],
        "valid_until": "2030-01-01T00:00:00Z",
    },
    "PartnerAccessRelease": {**_NAMED, "reason": "returned home"},
    "PartnerAccessDryRun": {"mc_service_ids": ["sip:alice@mc1.example"], "public_user_identities": 2},
    "Partner": {
        "name": "mc2",
        "cms": "https://cms.mc2.example",
        "ca": _CA,
        "client_name": "cms.mc2.example",
        "migration_management_servers": ["mms.mc2.example"],
        "realms": ["ims.mc2.example"],
        "outbound_groups": ["crew-7"],
        "outbound_max": 500,
        "inbound_users": ["sip:bob@mc2.example"],
        "services": ["mcptt", "mcdata"],
        "valid_until": "2030-01-01T00:00:00Z",
        "service_area": {"tracking_areas": ["00102-0002"]},
        "priority": 1,
    },
    "User": {
        "mc_service_id": "sip:alice@mc1.example",
        "migration": True,
        "partners": ["mc2"],
        "isims": [
            {
                "private_user_identity": "001010000000001@ims.mc1.example",
                "public_user_identities": ["sip:alice@ims.mc1.example"],
            }
        ],
    },
    "Group": {"name": "crew-7", "members": ["sip:alice@mc1.example", "sip:carol@mc1.example"]},
    "WithdrawRequest": {
        "role": "primary",
        "other_mc_system": "mc2",
        "mc_service_id": "sip:alice@mc1.example",
        "reason": "UE reported lost",
    },
    "RestoreRequest": {"reason": "UE found"},
    "OutboundDryRun": {
        "mc_service_ids": ["sip:alice@mc1.example"],
        "location_information": {"ecgi": "00102-0abcdef"},
        "partner_mc_system": "mc2",
    },
    "InboundDryRun": {"primary_mc_system": "mc2", "mc_service_ids": ["sip:bob@mc2.example"]},
}

ADMITTED_AGREEMENT: Final[dict[str, Any]] = {
    "agreement": EXAMPLES["Partner"],
    "source": "api",
    "overruled": False,
    "warnings": ["agreement mc2: services: mcdata, mcptt here, mcptt in mms.toml"],
}


def example(model: str) -> Any:
    """Return the marker of a request body that shows its example."""
    return Body(openapi_examples={"example": {"value": EXAMPLES[model]}})
