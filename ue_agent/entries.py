"""What a UE keeps of each MC system, made from its card, or from what step 13 of 10.1.X.1 said."""

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from mmserver.messages import ConnectionDetailsResponse
from ue_agent.config import UeConfig
from ue_agent.errors import HttpError, UsageError
from ue_agent.store import SystemEntry


def primary_entry(config: UeConfig) -> SystemEntry:
    """Return the primary MC system's entry, from the card and the configuration."""
    return SystemEntry(
        mc_system=config.primary.system,
        role="primary",
        identities=config.isim.identities,
        home_domain=config.isim.home_domain,
        p_cscf=config.isim.p_cscf,
    )


def partner_entry(response: ConnectionDetailsResponse) -> SystemEntry:
    """Return the entry of the partner that step 13 chose.

    Raises:
        HttpError: its P-CSCFs are not SIP URIs that a UE can use.
    """
    configuration = response.initial_ue_configuration
    try:
        return SystemEntry(
            mc_system=response.partner_mc_system,
            role="partner",
            identities=response.partner_mc_system_sip_identities,
            home_domain=configuration.home_domain,
            p_cscf=configuration.p_cscf,
            initial_ue_configuration=configuration,
            valid_until=response.valid_until,
        )
    except ValidationError as exc:
        fault = exc.errors(include_url=False, include_input=False)[0]
        raise HttpError(f"the connection details cannot be used: {fault['loc'][0]}: {fault['msg']}") from exc


def default_sip_uri(entry: SystemEntry) -> str:
    """Return the IMPU to register: the first one with the scheme ``sip:`` (TS 24.229 §5.1.1.1A).

    Raises:
        UsageError: the set has none.
    """
    for uri in entry.identities.public_user_identities:
        if uri.startswith("sip:"):
            return uri
    raise UsageError(f"the identities for {entry.mc_system} hold no sip: URI")


def entry_summary(entry: SystemEntry) -> dict[str, Any]:
    """Return what ``status`` shows of a system."""
    until: datetime | None = entry.valid_until
    return {
        "system": entry.mc_system,
        "role": entry.role,
        "home_domain": entry.home_domain,
        "p_cscf": list(entry.p_cscf),
        "private_user_identity": entry.identities.private_user_identity,
        "public_user_identities": list(entry.identities.public_user_identities),
        "valid_until": until.isoformat() if until else None,
    }
