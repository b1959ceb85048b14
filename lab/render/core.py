"""Configuration of what belongs to an MC system beside migration: HSS, identity management server, UEs.

Tables as the programs' own ``config.py`` read them; pure, from the topology.
"""

from pathlib import Path
from typing import Any, Final

from lab.load.crowd import Member
from lab.render.files import SIGNING_KEY, Files
from lab.topology import PROXIES, Agreement, IdentitySet, System, Topology, User

DIAMETER_PORT: Final = 3868
HTTPS_PORT: Final = 443
SIP_PORT: Final = 5060
CLIENT_ID: Final = "mc-ue"
REDIRECT_URI: Final = "http://127.0.0.1/callback"
SCOPE: Final = "openid 3gpp:mc:ptt_config_management_service"
AMF: Final = "8000"
POOLED: Final = frozenset({"pool", "sip-database"})
"""Modes of allocation that take from configured sets, which the HSS then knows."""


def asks_sip_database(settings: System) -> bool:
    """Say whether the migration management server asks the HSS which sets it knows."""
    return "sip-database" in (settings.primary_allocation, settings.partner_allocation)


def hss_table(topology: Topology, system: str, files: Files) -> dict[str, Any]:
    """Return ``hss.toml``: the SIP database of one system (TS 29.228)."""
    host = topology.host(system, "hss")
    settings = topology.systems[system]
    cscfs = ("icscf", "scscf", *(("probe",) if settings.probe else ()))
    peers = cscfs if not settings.through_proxy else PROXIES if settings.agents == "none" else ("dra",)
    askers = ("mms",) if asks_sip_database(settings) else ()
    return {
        "node": {
            "origin_host": host.name,
            "origin_realm": settings.home_domain,
            "address": host.address,
            "port": DIAMETER_PORT,
            "peers": [topology.host(system, role).name for role in (*peers, *askers)],
        },
        "hss": {
            "mode": settings.hss_mode,
            "state": files.state(host.key) / "hss.sqlite",
            "control": files.socket(host.key),
            "scscf": [server_name(topology, system)],
            "corrupt_res_for": list(settings.corrupt_res_for),
        },
        "users": [
            *(_hss_user(topology, name, user) for name, user in topology.users_of(system).items()),
            *(_hss_member(topology, member) for member in topology.crowd_of(system)),
        ],
    }


def idms_table(topology: Topology, system: str, files: Files) -> dict[str, Any]:
    """Return ``idms.toml``: the OpenID provider of one system and the partners whose assertions it takes."""
    host = topology.host(system, "idms")
    return {
        "system": {"issuer": issuer(topology, system), "audiences": _audiences(topology, system)},
        "http": {"address": host.address, "port": HTTPS_PORT},
        "tls": files.tls(host.key),
        "keys": {"private_key": files.etc(host.key) / SIGNING_KEY},
        "users": [
            {"name": name, "password": user.password, "mc_service_ids": list(user.mc_service_ids)}
            for name, user in topology.users_of(system).items()
        ],
        "clients": [{"client_id": CLIENT_ID, "redirect_uris": [REDIRECT_URI]}],
        "partners": [
            {
                "issuer": issuer(topology, partner),
                "jwks_file": partner_keys(files.etc(host.key), partner),
                **_vouched(terms),
            }
            for partner, terms in topology.partners_of(system).items()
        ],
    }


def mcs_table(topology: Topology, system: str, files: Files) -> dict[str, Any]:
    """Return ``mcs.toml``: the MC service server of one system (TS 24.379 §7.3)."""
    host = topology.host(system, "mcs")
    return {
        "name": host.name,
        "address": host.address,
        "port": SIP_PORT,
        "core": [str(topology.address(system, "scscf"))],
        "issuer": issuer(topology, system),
        "ca": files.authority(system),
    }


def ue_table(topology: Topology, ue: str, files: Files) -> dict[str, Any]:
    """Return ``ue.toml``: one UE, its ISIM, its user and the user's primary MC system."""
    settings = topology.ues[ue]
    user, owner = topology.users[settings.user], topology.users[settings.isim_of or settings.user]
    home = user.system
    return {
        "ue": {"name": ue, "state_dir": files.state(ue)},
        "sip": {"transport": settings.transport},
        "isim": {
            **identity_set(owner.isim),
            "home_domain": topology.systems[owner.system].home_domain,
            "p_cscf": [p_cscf(topology, owner.system)],
            "k": _another_key(owner.k) if settings.wrong_key else owner.k,
            "opc": owner.opc,
        },
        "user": {
            "mc_service_ids": list(user.mc_service_ids),
            "username": settings.user,
            "password": user.password,
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "scope": SCOPE,
        },
        "primary": {
            "system": home,
            "idms": issuer(topology, home),
            "cms": f"https://{topology.host(home, 'cms').name}",
            "ca": files.authority(home),
        },
    }


def issuer(topology: Topology, system: str) -> str:
    """Return the issuer of a system's tokens."""
    return f"https://{topology.host(system, 'idms').name}"


def p_cscf(topology: Topology, system: str) -> str:
    """Return the SIP URI under which UEs reach a system."""
    return f"sip:{topology.address(system, 'pcscf')}:5060"


def server_name(topology: Topology, system: str) -> str:
    """Return the Server-Name of a system's S-CSCF (TS 29.228 §6.1.1)."""
    return topology.systems[system].server_name or f"sip:{topology.host(system, 'scscf').name}:6060"


def partner_keys(folder: Path, partner: str) -> Path:
    """Return where an IdMS keeps a partner's public keys."""
    return folder / f"{partner}-jwks.json"


def identity_set(identities: IdentitySet) -> dict[str, Any]:
    """Return a set as a table."""
    return {
        "private_user_identity": identities.private_user_identity,
        "public_user_identities": list(identities.public_user_identities),
    }


def _hss_user(topology: Topology, name: str, user: User) -> dict[str, Any]:
    provisioned = topology.systems[user.system].primary_allocation in POOLED
    sets = (user.isim, *(one for one in user.migration_sets if provisioned and one.known_to_hss))
    return {"name": name, "k": user.k, "opc": user.opc, "amf": AMF, "impis": [identity_set(one) for one in sets]}


def _hss_member(topology: Topology, member: Member) -> dict[str, Any]:
    assert topology.crowd is not None
    is_lent = topology.systems[topology.crowd.home].hss_identities == "lent"
    sets = (member.isim, *((member.primary,) if is_lent else ()))
    return {
        "name": member.name,
        "k": member.k.hex(),
        "opc": member.opc.hex(),
        "amf": AMF,
        "impis": [
            {
                "private_user_identity": one.private_user_identity,
                "public_user_identities": list(one.public_user_identities),
            }
            for one in sets
        ],
    }


def _audiences(topology: Topology, system: str) -> list[str]:
    settings = topology.systems[system]
    roles = ("cms", *(("mcs",) if settings.mc_service and settings.mc_service_audience else ()))
    return [topology.host(system, role).name for role in roles]


def _vouched(terms: Agreement) -> dict[str, Any]:
    """Return whose MC service IDs a partner may assert: all, or those listed, which are the same here."""
    if terms.vouched_users == "*":
        return {}
    return {"mc_service_id_mapping": "listed", "mc_service_ids": {one: one for one in terms.vouched_users}}


def _another_key(k: str) -> str:
    return f"{int(k, 16) ^ 1:032x}"
