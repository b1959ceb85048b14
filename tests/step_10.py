"""What steps 9 and 10 of 10.1.X.1 ask an MMS of mc2 for a user of mc1, for tests that make many bindings."""

from typing import Any, Final

PATH: Final = "/csc-x/v1/partner-mc-system-sip-identities"


def asked(user: str) -> dict[str, Any]:
    """Return the body for a user with one private and one public identity of its own."""
    return {
        "primary_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": {
            "private_user_identity": f"mig-{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:mig-{user}@ims.mc1.lab"],
        },
        "mc_service_ids": [f"sip:{user}@mc1.lab"],
    }
