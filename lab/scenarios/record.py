"""``run.json``: what a judge must know that no capture shows.  It names no key, vector, password or token."""

import platform
import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lab.render.core import server_name
from lab.render.files import Files
from lab.scenarios.model import Scenario, describe, flat
from lab.topology import Topology


def run_facts(topology: Topology, scenario: Scenario, files: Files) -> dict[str, Any]:
    """Return the facts of a run; its ``environment`` is looked for when nobody waits for the lab any more."""
    return {
        "scenario": scenario.name,
        "what": scenario.what,
        "lab": files.lab_id,
        "run": str(files.run.path),
        "started": datetime.now(UTC).isoformat(),
        "completed": False,
        "hosts": {
            **{
                str(host.address): host.lab_name
                for host in (*topology.hosts(), *topology.hosts_elsewhere())
                if host.role != "ue"
            },
            **{str(topology.address(name, "router")): f"router.{name}.lab" for name in topology.systems},
        },
        "systems": [_system(topology, name) for name in topology.systems],
        "users": [_user(topology, name) for name in topology.users],
        "ues": [_ue(topology, name) for name in topology.ues],
        "crowd": topology.crowd.model_dump() if topology.crowd is not None else None,
        "settings": dict(scenario.settings),
        "steps": [describe(step) for step in flat(scenario.steps)],
        "proves": list(scenario.proves),
        "absent": list(scenario.absent),
        "checks": [{"name": check.name, "parameters": dict(check.parameters)} for check in scenario.checks],
        "environment": {},
    }


def environment(runtime: str) -> dict[str, str]:
    """Return what the run was made with."""
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "runtime": runtime,
        "kamailio": _first_line("kamailio", "-v"),
        "tshark": _first_line("tshark", "-v"),
    }


def _system(topology: Topology, name: str) -> Mapping[str, Any]:
    system = topology.systems[name]
    return {
        "name": name,
        "home_domain": system.home_domain,
        "network": str(system.network),
        "plmn": system.plmn,
        "lent_prefix": system.lent_prefix,
        "scscf": [server_name(topology, name)],
        "service_area": system.service_area.model_dump(mode="json"),
        "allocation": system.primary_allocation,
        "partner_allocation": system.partner_allocation,
        "hss_identities": system.hss_identities,
        "lent_identities": system.lent_identities,
        "hss_mode": system.hss_mode,
        "through_proxy": system.through_proxy,
        "partners": list(topology.partners_of(name)),
        "static_for": [partner for partner, terms in topology.partners_of(name).items() if terms.static],
    }


def _user(topology: Topology, name: str) -> Mapping[str, Any]:
    user = topology.users[name]
    return {
        "name": name,
        "system": user.system,
        "mc_service_ids": list(user.mc_service_ids),
        "isim": user.isim.model_dump(mode="json"),
        "migration": user.migration,
        "migration_sets": [one.model_dump(mode="json") for one in user.migration_sets],
    }


def _ue(topology: Topology, name: str) -> Mapping[str, Any]:
    ue = topology.ues[name]
    user, owner = topology.users[ue.user], topology.users[ue.isim_of or ue.user]
    return {
        "name": name,
        "user": ue.user,
        "system": user.system,
        "mc_service_id": user.mc_service_ids[0],
        "private_user_identity": owner.isim.private_user_identity,
        "public_user_identities": list(owner.isim.public_user_identities),
        "addresses": [str(topology.ue_address(name, system)) for system in topology.systems],
    }


def _first_line(*argv: str) -> str:
    if shutil.which(argv[0]) is None:
        return "not installed"
    said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    return (said.stdout or said.stderr).splitlines()[0]
