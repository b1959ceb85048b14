"""Requests as the OpenAPI document shows them; a test holds each to its own model."""

from typing import Any, Final

_PRIMARY_SET: Final = {
    "private_user_identity": "mig-p5xw0c8jr3kd7qhz@ims.mc1.example",
    "public_user_identities": ["sip:mig-p5xw0c8jr3kd7qhz@ims.mc1.example"],
}
_PARTNER_SET: Final = {
    "private_user_identity": "mig-u2fg6yb9sm4eo1li@ims.mc2.example",
    "public_user_identities": ["sip:mig-u2fg6yb9sm4eo1li@ims.mc2.example"],
}
EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "PrimarySipIdentitiesRequest": {
        "mc_service_ids": ["sip:alice@mc1.example"],
        "default_identities": {
            "private_user_identity": "001010000000001@ims.mc1.example",
            "public_user_identities": ["sip:alice@ims.mc1.example"],
        },
        "partner_mc_system": "mc2",
    },
    "PartnerSipIdentitiesRequest": {
        "primary_mc_system": "mc1",
        "migration_management_server": "mms.mc1.example",
        "primary_mc_system_sip_identities": _PRIMARY_SET,
        "mc_service_ids": ["sip:alice@mc1.example"],
    },
    "BindingEntry": {
        "role": "partner",
        "mc_service_ids": ["sip:alice@mc1.example"],
        "other_mc_system": "mc1",
        "migration_management_server": "mms.mc1.example",
        "identities": _PARTNER_SET,
        "counterpart": _PRIMARY_SET,
        "valid_until": "2030-01-01T00:00:00Z",
    },
    "BindingReason": {"reason": "returned home"},
    "WithdrawalRequest": {
        "role": "primary",
        "other_mc_system": "mc2",
        "mc_service_id": "sip:alice@mc1.example",
        "reason": "UE reported lost",
    },
    "FeedAcknowledgement": {"proxy": "proxy1.mc1.example", "version": 1795625174886},
    "UseReport": {"proxy": "proxy1.mc1.example", "bindings": ["b-4e5f6a7b"], "complete_for_s": 86400.5},
    "ProxyEvent": {"event": "home-deregistration", "private_user_identity": "001010000000001@ims.mc1.example"},
}


def body_example(model: str) -> dict[str, Any]:
    """Return what an operation's OpenAPI description gets in addition: an example of its body."""
    return {"requestBody": {"content": {"application/json": {"example": EXAMPLES[model]}}}}
