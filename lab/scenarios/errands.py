"""What a scenario does beside its UEs: the HSS's control socket, CSC-X by hand, a Diameter message of its own making.

Each runs where its wire is: a small client of ours in the host's namespace, or a socket of this machine.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from lab.render.core import p_cscf
from lab.scenarios import model
from lab.supervisor.process import ProgramFailure

if TYPE_CHECKING:
    from lab.supervisor.lab import Lab

ANSWER_S: Final = 10.0


def enter_connection_details(lab: "Lab", step: model.EnterConnectionDetails, identities: Mapping[str, Any]) -> None:
    """Put a partner's entry into a UE's state, as ``ue_agent.store`` keeps it."""
    topology = lab.topology
    entry = {
        "mc_system": step.partner,
        "role": "partner",
        "identities": identities,
        "home_domain": topology.systems[step.partner].home_domain,
        "p_cscf": [p_cscf(topology, step.partner)],
    }
    folder = lab.files.state(step.ue) / "systems"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{step.partner}.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(entry))


async def command_hss(lab: "Lab", step: model.Hss) -> dict[str, Any]:
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


async def change_bindings(lab: "Lab", step: model.ChangeBindings) -> dict[str, Any]:
    """Confirm, release, disable or enable every binding that an MMS has in a role.

    Raises:
        ProgramFailure: the MMS refuses.
    """
    values = {
        "url": f"https://mms.{step.system}.lab",
        "ca": lab.files.authority(step.system),
        **lab.files.tls(f"admin.{step.system}"),
        "action": step.action,
        "role": step.role,
        "reason": step.reason,
    }
    return await _errand(lab, f"cms.{step.system}", "lab.scenarios.csc_x_client", values)


async def send_mar(lab: "Lab", step: model.SendDiameter, private: str, public: str) -> dict[str, Any]:
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
    answer = await _errand(lab, probe.key, "lab.scenarios.diameter_client", values)
    if answer.get("result") != step.result:
        raise ProgramFailure(f"MAA with {answer.get('result')}, wanted {step.result}")
    return answer


async def _errand(lab: "Lab", host: str, module: str, values: Mapping[str, Any]) -> dict[str, Any]:
    environment = {"SSLKEYLOGFILE": str(lab.files.run.keys(f"{host}.errand"))}
    argv = lab.runtime.command(host, [sys.executable, "-P", "-m", module], environment)
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(ANSWER_S):
            out, err = await process.communicate(json.dumps(dict(values), default=str).encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ProgramFailure(f"{module} on {host}: no answer in {ANSWER_S:g} s") from None
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
