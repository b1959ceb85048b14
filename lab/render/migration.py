"""Configuration of what makes migration: Diameter proxies, migration and configuration management servers.

Tables as the programs' own ``config.py`` read them; pure, from the topology.
"""

from pathlib import Path
from typing import Any, Final

from lab.render.core import (
    DIAMETER_PORT,
    HTTPS_PORT,
    POOLED,
    SIP_PORT,
    asks_sip_database,
    identity_set,
    issuer,
    p_cscf,
    server_name,
)
from lab.render.files import Files
from lab.topology import PROXIES, Agreement, Host, Topology

CSC_Y_PORT: Final = 5868
METRICS: Final = "127.0.0.1:9090"
RETRY_MAX_S: Final = 0.25
"""All programs of a lab start at once: whoever was too early tries again soon."""

ADMIN: Final = "admin"
"""Role whose certificate may use CSC-X by hand: scenarios that enter, disable or release a binding."""


def proxy_table(topology: Topology, system: str, role: str, files: Files) -> dict[str, Any]:
    """Return ``proxy.toml``: AAA-2 and Cx in plain, CSC-Y in TLS; the system with the smaller name connects."""
    host = topology.host(system, role)
    settings = topology.systems[system]
    first, *others = topology.mms_hosts(system)
    return {
        "node": {
            "origin_host": host.name,
            "origin_realm": settings.home_domain,
            "system": system,
            "reconnect_max_s": RETRY_MAX_S,
        },
        "listeners": [
            {"address": host.address, "port": DIAMETER_PORT},
            {"address": host.address, "port": CSC_Y_PORT, "tls": True},
        ],
        "tls": files.tls(host.key),
        "peers": [
            *_cscf_peers(topology, system),
            _server_peer(topology, system, topology.host(system, "hss" if settings.agents == "none" else "dra"), "hss"),
            *(_server_peer(topology, system, mms, "mms") for mms in (first, *others)),
            *_csc_y_peers(topology, system, files),
        ],
        "feed": {
            "url": f"https://{first.name}",
            "alternates": [f"https://{other.name}" for other in others],
            "ca": files.authority(system),
            "retry_max_s": RETRY_MAX_S,
            "lent_prefix": settings.lent_prefix,
        },
        "hss": {
            "identities": settings.hss_identities,
            "server_name": server_name(topology, system),
            "lent_identities": settings.lent_identities,
            "prime_with_uar": settings.prime_with_uar,
        },
        "limits": {"max_map_age_s": settings.max_map_age_s},
        "metrics": {"listen": METRICS},
    }


def mms_table(topology: Topology, system: str, files: Files, role: str = "mms") -> dict[str, Any]:
    """Return ``mms.toml``: the migration management server of one system, or its second instance over one store."""
    host, first = topology.host(system, role), topology.host(system, "mms")
    settings = topology.systems[system]
    proxies = [topology.host(system, role).name for role in PROXIES]
    return {
        "system": {"name": system, "identifier": first.name, "home_domain": settings.home_domain},
        "http": {
            "address": host.address,
            "port": HTTPS_PORT,
            "client_ca": files.authority(system),
            "clients": {
                "csc_x": [topology.host(system, "cms").name],
                "administrators": [admin_name(system)],
                "feed": proxies,
            },
        },
        "tls": files.tls(host.key),
        "diameter": {
            "origin_host": host.name,
            "origin_realm": settings.home_domain,
            "address": host.address,
            "port": DIAMETER_PORT,
            "peers": proxies,
            "scscf": [server_name(topology, system)],
        },
        "store": {"url": _sqlite(files.state(first.key) / "mms.sqlite")},
        "sip_database": _sip_database(topology, system) if asks_sip_database(settings) else None,
        "allocation": {"primary": _primary(topology, system), "partner": _partner(topology, system)},
        "lifetime": {
            "held_s": settings.held_s,
            "valid_s": settings.valid_s,
            "quarantine_s": settings.quarantine_s,
        },
        "partners": [
            {
                "name": partner,
                "realms": [topology.systems[partner].home_domain],
                "migration_management_servers": [topology.host(partner, "mms").name],
                "initial_filter_criteria": _criteria(topology, system),
            }
            for partner in topology.partners_of(system)
        ],
    }


def cms_table(topology: Topology, system: str, files: Files) -> dict[str, Any]:
    """Return ``cms.toml``: the configuration management server of one system, its users and agreements."""
    host = topology.host(system, "cms")
    settings = topology.systems[system]
    partners = topology.partners_of(system)
    return {
        "system": {"name": system, "home_domain": settings.home_domain},
        "http": {"address": host.address, "port": HTTPS_PORT},
        "tls": files.tls(host.key),
        "mms": {"url": f"https://{topology.host(system, 'mms').name}", "ca": files.authority(system)},
        "idms": {"issuer": issuer(topology, system), "ca": files.authority(system), "audience": host.name},
        "users": [
            {
                "mc_service_id": mc_service_id,
                "migration": user.migration,
                "partners": list(partners),
                "isims": [identity_set(user.isim)],
            }
            for user in topology.users_of(system).values()
            for mc_service_id in user.mc_service_ids
        ],
        "partners": [_agreement(topology, system, partner, terms, files) for partner, terms in partners.items()],
        "initial_ue_configuration": initial_ue_configuration(topology, system, files),
    }


def initial_ue_configuration(topology: Topology, system: str, files: Files) -> dict[str, Any]:
    """Return what a UE of a partner needs to come in (TS 23.280 Annex A.6)."""
    settings = topology.systems[system]
    idms = issuer(topology, system)
    apn = f"{{service}}.{settings.home_domain}"
    return {
        "mc_system": system,
        "home_domain": settings.home_domain,
        "p_cscf": [p_cscf(topology, system)],
        "plmn": settings.plmn,
        "idms_issuer": idms,
        "idms_auth_endpoint": f"{idms}/authorize",
        "idms_token_endpoint": f"{idms}/token",
        "cms": f"https://{topology.host(system, 'cms').name}",
        "gms": f"https://gms.{system}.lab",
        "kms": f"https://kms.{system}.lab",
        "trust_anchors": [files.authority(system).read_text()],
        "pdn_access": [
            {"apn": apn.format(service=service), "service": service}
            for service in ("mc-services", "mc-common-core", "mc-identity-management")
        ],
    }


def _criteria(topology: Topology, system: str) -> list[dict[str, Any]] | None:
    """Return what takes a registration to the MC service server (TS 24.379 §7.3.2), where there is one."""
    if not topology.systems[system].mc_service:
        return None
    server = f"sip:{topology.host(system, 'mcs').name}:{SIP_PORT}"
    return [
        {
            "application_server": server,
            "methods": ["REGISTER"],
            "service": "mcptt",
        }
    ]


def _sip_database(topology: Topology, system: str) -> dict[str, Any]:
    host = topology.host(system, "hss")
    return {"host": host.name, "address": host.address, "port": DIAMETER_PORT}


def admin_name(system: str) -> str:
    """Return the name in the certificate of a system's administrator."""
    return f"{ADMIN}.{system}.lab"


def _cscf_peers(topology: Topology, system: str) -> list[dict[str, Any]]:
    settings = topology.systems[system]
    roles = ("icscf", "scscf", *(("probe",) if settings.probe else ()))
    return [
        {"host": topology.host(system, role).name, "realm": settings.home_domain, "group": "cscf"} for role in roles
    ]


def _server_peer(topology: Topology, system: str, host: Host, group: str) -> dict[str, Any]:
    return {
        "host": host.name,
        "realm": topology.systems[system].home_domain,
        "group": group,
        "connect": True,
        "address": host.address,
        "port": DIAMETER_PORT,
    }


def _csc_y_peers(topology: Topology, system: str, files: Files) -> list[dict[str, Any]]:
    """Return who is on CSC-Y: the partners' hosts, or the edge agent of our SIP core, which vouches for all of them."""
    partners = topology.partners_of(system)
    if topology.systems[system].agents == "none":
        return [
            _partner_peer(topology, system, partner, host, files)
            for partner in partners
            for host in topology.csc_y_hosts(partner)
        ]
    edge = topology.host(system, "edge")
    return [
        {
            "host": edge.name,
            "realm": topology.systems[system].home_domain,
            "group": "partner",
            "vouches_for": {partner: topology.systems[partner].home_domain for partner in partners},
            "tls": True,
            "ca": files.authority(system),
            "connect": True,
            "address": edge.address,
            "port": CSC_Y_PORT,
        }
    ]


def _partner_peer(topology: Topology, system: str, partner: str, host: Host, files: Files) -> dict[str, Any]:
    peer: dict[str, Any] = {
        "host": host.name,
        "realm": topology.systems[partner].home_domain,
        "group": "partner",
        "system": partner,
        "tls": True,
        "ca": files.authority(partner),
    }
    if system < partner:
        peer |= {"connect": True, "address": host.address, "port": CSC_Y_PORT}
    return peer


def _primary(topology: Topology, system: str) -> dict[str, Any]:
    settings = topology.systems[system]
    partners = topology.partners_of(system)
    sets = [
        {"mc_service_id": user.mc_service_ids[0], "partner": one.partner, **identity_set(one)}
        for user in topology.users_of(system).values()
        for one in user.migration_sets
        if one.partner in partners
    ]
    pooled = settings.primary_allocation in POOLED
    return {
        "mode": settings.primary_allocation,
        "prefix": settings.lent_prefix,
        "provisioned": settings.hss_identities == "lent",
        "sets": sets if pooled else None,
    }


def _partner(topology: Topology, system: str) -> dict[str, Any]:
    settings = topology.systems[system]
    pooled = settings.partner_allocation in POOLED
    return {
        "mode": settings.partner_allocation,
        "prefix": settings.lent_prefix,
        "sets": [identity_set(one) for one in settings.inbound_sets] if pooled else None,
    }


def _agreement(topology: Topology, system: str, partner: str, terms: Agreement, files: Files) -> dict[str, Any]:
    area = topology.systems[partner].service_area
    cms, mms = topology.host(partner, "cms"), topology.host(partner, "mms")
    theirs = topology.partners_of(partner).get(system)
    off_line = theirs is not None and theirs.static
    return {
        "name": partner,
        "cms": f"https://{cms.name}",
        "ca": files.authority(partner),
        "client_name": cms.name,
        "migration_management_servers": [mms.name],
        "realms": [topology.systems[partner].home_domain],
        "outbound_users": _users(terms.outbound_users),
        "inbound_users": _users(terms.inbound_users),
        "priority": terms.priority,
        "valid_until": terms.valid_until,
        "static": terms.static,
        "initial_ue_configuration": initial_ue_configuration(topology, partner, files) if off_line else None,
        "service_area": {
            "polygon": [list(point) for point in area.polygon],
            "ecgi": list(area.ecgi),
            "tracking_areas": list(area.tracking_areas),
        },
    }


def _users(users: str | tuple[str, ...]) -> str | list[str]:
    return users if isinstance(users, str) else list(users)


def _sqlite(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"
