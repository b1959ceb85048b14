"""What a scenario does beside its UEs: HSS control, CSC-X by hand, a Diameter message or a token used twice.

Each runs where its wire is: a small client of ours in the host's namespace, or a socket of this machine.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from lab.render.core import CLIENT_ID, SCOPE, identity_set, issuer, p_cscf, partner_keys
from lab.render.migration import initial_ue_configuration
from lab.render.tls import IdmsKey
from lab.scenarios import system_steps
from lab.supervisor.process import ProgramFailure
from lab.topology import PROXIES, Topology

if TYPE_CHECKING:
    from lab.supervisor.lab import Lab

ANSWER_S: Final = 10.0


def enter_connection_details(
    lab: "Lab", step: system_steps.EnterConnectionDetails, identities: Mapping[str, Any]
) -> None:
    """Put a partner's entry into a UE's state, as ``ue_agent.store`` keeps it."""
    topology = lab.topology
    entry = {
        "mc_system": step.partner,
        "role": "partner",
        "identities": identities,
        "home_domain": topology.systems[step.partner].home_domain,
        "p_cscf": [p_cscf(topology, step.partner)],
    }
    if step.configured:
        entry["initial_ue_configuration"] = initial_ue_configuration(topology, step.partner, lab.files)
    folder = lab.files.state(step.ue) / "systems"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{step.partner}.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(entry))


async def command_hss(lab: "Lab", step: system_steps.Hss) -> dict[str, Any]:
    """Send a command to a HSS simulator and return its answer.

    Raises:
        ProgramFailure: it refuses or does not answer.
    """
    async with asyncio.timeout(ANSWER_S):
        reader, writer = await asyncio.open_unix_connection(lab.files.socket(f"hss.{step.system}"))
        writer.write(json.dumps(dict(step.command)).encode() + b"\n")
        line = await reader.readline()
        writer.close()
    return accepted(f"hss.{step.system}", line)


async def change_bindings(lab: "Lab", step: system_steps.ChangeBindings) -> dict[str, Any]:
    """Release, disable or enable the bindings that an MMS has in a role, with one other system where given.

    Raises:
        ProgramFailure: there is none, or the MMS refuses.
    """
    values = {"action": step.action, "role": step.role, "other_system": step.other_system, "reason": step.reason}
    return await administer(lab, step.system, values)


async def await_bindings(lab: "Lab", step: system_steps.AwaitBindings) -> dict[str, Any]:
    """Wait until an MMS lists as many bindings as wanted.

    Raises:
        ProgramFailure: it does not in time.
    """
    values = {
        "action": "await",
        "role": step.role,
        "state": step.state,
        "count": step.count,
        "within_s": step.within_s,
    }
    return await administer(lab, step.system, values, ANSWER_S + step.within_s)


async def change_withdrawal(lab: "Lab", step: system_steps.Withdraw | system_steps.Restore) -> dict[str, Any]:
    """Withdraw migration from a UE's user for one partner, at the primary's MMS, or lift that.

    Raises:
        ProgramFailure: the MMS refuses.
    """
    topology = lab.topology
    values = {
        "action": "withdraw" if isinstance(step, system_steps.Withdraw) else "restore",
        "role": "primary",
        "other_mc_system": step.partner,
        "mc_service_id": topology.users[topology.ues[step.ue].user].mc_service_ids[0],
        "reason": step.reason,
    }
    return await administer(lab, topology.home_of(step.ue), values)


async def import_binding(lab: "Lab", step: system_steps.ImportBinding) -> dict[str, Any]:
    """Import a user's binding with a partner into both MMSs.

    Raises:
        ProgramFailure: one of them refuses.
    """
    for system, entry in binding_entries(lab.topology, step.ue, step.partner).items():
        await administer(lab, system, {"action": "import", "entries": [entry]})
    return {}


def binding_entries(topology: Topology, ue: str, partner: str) -> dict[str, dict[str, Any]]:
    """Return what pre-provisions a UE's user: the binding of each MMS (``mmserver.messages.BindingEntry``)."""
    home = topology.home_of(ue)
    user = topology.users[topology.ues[ue].user]
    primary = next(one for one in user.migration_sets if one.partner == partner)
    shared = {
        "mc_service_ids": list(user.mc_service_ids),
        "migration_management_server": topology.host(home, "mms").name,
        "valid_until": (datetime.now(UTC) + timedelta(seconds=topology.systems[home].valid_s)).isoformat(),
    }
    return {
        home: {
            **shared,
            "role": "primary",
            "other_mc_system": partner,
            "identities": identity_set(primary),
            "counterpart": identity_set(user.isim),
            "provisioned": topology.systems[home].hss_identities == "lent",
        },
        partner: {
            **shared,
            "role": "partner",
            "other_mc_system": home,
            "identities": identity_set(topology.systems[partner].inbound_sets[0]),
            "counterpart": identity_set(primary),
        },
    }


async def rotate_key(lab: "Lab", step: system_steps.RotateKey) -> dict[str, Any]:
    """Give a system's IdMS a new signing key, and its partners the public half before.

    Raises:
        ProgramFailure: one of the servers does not take it.
    """
    key = IdmsKey()
    for partner in lab.topology.partners_of(step.system):
        key.write_public(partner_keys(lab.files.etc(f"idms.{partner}"), step.system))
        await _reload(lab, f"idms.{partner}")
    key.write(lab.files.etc(f"idms.{step.system}"))
    return await _reload(lab, f"idms.{step.system}")


async def _reload(lab: "Lab", host: str) -> dict[str, Any]:
    process = lab.process(host)
    since = len(process.events)
    process.signal(signal.SIGHUP)
    return await process.event(lambda event: event.get("event") == "keys.reloaded", since, ANSWER_S)


async def replay_assertion(lab: "Lab", step: system_steps.ReplayAssertion) -> dict[str, Any]:
    """Use one security token twice at a partner.

    Raises:
        ProgramFailure: the first time is refused, or the second is not as the step wants.
    """
    topology = lab.topology
    user = topology.ues[step.ue].user
    servers = {"primary": topology.home_of(step.ue), "partner": step.system}
    values = {
        **{
            name: {"issuer": issuer(topology, system), "ca": str(lab.files.authority(system))}
            for name, system in servers.items()
        },
        "credentials": {"username": user, "password": topology.users[user].password},
        "client_id": CLIENT_ID,
        "scope": SCOPE,
    }
    answer = await errand(lab, step.ue, "lab.scenarios.token_client", values)
    if answer["second"] != step.status:
        raise ProgramFailure(f"the second use ended with {answer['second']}, wanted {step.status}")
    return answer


async def administer(
    lab: "Lab", system: str, values: Mapping[str, Any], patience_s: float = ANSWER_S
) -> dict[str, Any]:
    """Have an administrator of a system do something at its MMS over CSC-X (``csc_x_client``).

    Raises:
        ProgramFailure: the MMS refuses or does not answer.
    """
    whom = {
        "url": f"https://{lab.topology.host(system, 'mms').name}",
        "ca": lab.files.authority(system),
        **lab.files.tls(f"admin.{system}"),
    }
    return await errand(lab, f"cms.{system}", "lab.scenarios.csc_x_client", {**whom, **values}, patience_s)


async def ask_feed(lab: "Lab", system: str, identities: Sequence[str]) -> dict[str, str | None]:
    """Return which binding a system's feed says lends each identity, as its first proxy would ask.

    Raises:
        ProgramFailure: the MMS refuses or does not answer.
    """
    values = {
        "url": f"https://{lab.topology.host(system, 'mms').name}",
        "ca": lab.files.authority(system),
        **lab.files.tls(f"{PROXIES[0]}.{system}"),
        "action": "look-up",
        "identities": list(identities),
    }
    return dict((await errand(lab, f"{PROXIES[0]}.{system}", "lab.scenarios.csc_x_client", values))["found"])


async def send_mar(lab: "Lab", step: system_steps.SendDiameter, private: str, public: str) -> dict[str, Any]:
    """Send a MAR from a system's probe host and compare the answer's result.

    Raises:
        ProgramFailure: no answer, or another result than the step names.
    """
    topology = lab.topology
    probe, proxy = topology.host(step.system, "probe"), topology.host(step.system, "proxy1")
    values = {
        "origin_host": probe.name,
        "origin_realm": topology.systems[step.system].home_domain,
        "peer": proxy.name,
        "address": proxy.address,
        "private_user_identity": private,
        "public_user_identity": public,
        "scheme": step.scheme,
        "server_name": f"sip:{probe.name}:6060",
    }
    answer = await errand(lab, probe.key, "lab.scenarios.diameter_client", values)
    if answer.get("result") != step.result:
        raise ProgramFailure(f"MAA with {answer.get('result')}, wanted {step.result}")
    return answer


async def errand(
    lab: "Lab", host: str, module: str, values: Mapping[str, Any], patience_s: float = ANSWER_S
) -> dict[str, Any]:
    """Run a program of one errand on a host and return its answer.

    Raises:
        ProgramFailure: it refuses, says nothing, or does not end in time.
    """
    environment = {"SSLKEYLOGFILE": str(lab.files.run.keys(f"{host}.errand"))}
    argv = lab.runtime.command(host, [sys.executable, "-P", "-m", module], environment)
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(patience_s):
            out, err = await process.communicate(json.dumps(dict(values), default=str).encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ProgramFailure(f"{module} on {host}: no answer in {patience_s:g} s") from None
    if not out:
        last = err.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise ProgramFailure(f"{module} on {host}: {last[-1]}")
    return accepted(f"{module} on {host}", out)


def accepted(who: str, line: bytes) -> dict[str, Any]:
    """Return the answer on a line.

    Raises:
        ProgramFailure: it is none, or a refusal.
    """
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ProgramFailure(f"{who}: no JSON object came back")
    if not answer.get("ok"):
        raise ProgramFailure(f"{who}: {answer.get('error', answer.get('reason', 'no reason given'))}")
    return answer
