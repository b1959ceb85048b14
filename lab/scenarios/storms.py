"""The two steps of a storm: bindings entered in bulk as an operator would, and the load generator where UEs are."""

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from lab.load.crowd import Crowd, Member
from lab.render.kamailio import PORTS
from lab.scenarios import model, system_steps
from lab.scenarios.errands import administer
from lab.supervisor.process import ProgramFailure
from lab.topology import Topology
from mmserver.identity import SipIdentities

if TYPE_CHECKING:
    from lab.supervisor.lab import Lab

GENERATOR: Final = "lab.load.generator"
IMPORTED_AT_ONCE: Final = 500
"""Lines of one import over CSC-X; the server takes up to 1,000."""
IMPORT_S: Final = 60.0


async def enter_crowd(lab: "Lab") -> dict[str, Any]:
    """Import the binding of each of the crowd into both MMSs.

    Raises:
        ProgramFailure: there is no crowd, or an MMS refuses.
    """
    crowd = _crowd(lab)
    began = asyncio.get_running_loop().time()
    everybody = list(lab.topology.crowd_of(crowd.home))
    for system in (crowd.home, crowd.partner):
        entries = (binding_entry(lab.topology, member, system) for member in everybody)
        for part in _parts(entries):
            await administer(lab, system, {"action": "import", "entries": part, "timeout_s": IMPORT_S}, 2 * IMPORT_S)
    return {"bindings": crowd.users, "took_s": round(asyncio.get_running_loop().time() - began, 2)}


def binding_entry(topology: Topology, member: Member, system: str) -> dict[str, Any]:
    """Return the binding of one of the crowd as one of the two systems has it (``mmserver.messages.BindingEntry``)."""
    crowd = topology.crowd
    assert crowd is not None
    home = topology.systems[crowd.home]
    is_primary = system == crowd.home
    identities, counterpart = (member.primary, member.isim) if is_primary else (member.partner, member.primary)
    return {
        "role": "primary" if is_primary else "partner",
        "other_mc_system": crowd.partner if is_primary else crowd.home,
        "mc_service_ids": [member.mc_service_id],
        "migration_management_server": topology.host(crowd.home, "mms").name,
        "valid_until": (datetime.now(UTC) + timedelta(seconds=home.valid_s)).isoformat(),
        "identities": _table(identities),
        "counterpart": _table(counterpart),
        **({"provisioned": home.hss_identities == "lent"} if is_primary else {}),
    }


async def blow(lab: "Lab", step: system_steps.Storm) -> dict[str, Any]:
    """Run the load generator where a UE is, tell its progress, and return its result.

    Raises:
        ProgramFailure: there is no crowd, or the generator did not work.
    """
    order = order_of(lab.topology, step)
    argv = lab.runtime.command(step.ue, [sys.executable, "-P", "-m", GENERATOR], {})
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    result: dict[str, Any] = {}
    try:
        process.stdin.write(json.dumps(order).encode())
        process.stdin.close()
        async for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "done":
                result = event
            else:
                lab.timeline.note(f"storm.{event.pop('event')}", side=step.side, **event)
        await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if "tally" not in result and "tallies" not in result:
        said = (await process.stderr.read()).decode(errors="replace").strip().splitlines()
        raise ProgramFailure(f"{GENERATOR}: {result.get('reason') or (said or ['it said nothing'])[-1]}")
    return {"side": step.side, **result}


def order_of(topology: Topology, step: system_steps.Storm) -> dict[str, Any]:
    """Return what the generator is told (``lab.load.generator.Order``)."""
    crowd = topology.crowd
    if crowd is None:
        raise ProgramFailure("this lab has no crowd")
    system = crowd.home if step.side == "native" else crowd.partner
    values = model.describe(step)
    return {
        "crowd": crowd.model_dump(),
        **{
            name: {"home_domain": place.home_domain, "plmn": place.plmn, "lent_prefix": place.lent_prefix}
            for name, place in (("home", topology.place(crowd.home)), ("partner", topology.place(crowd.partner)))
        },
        "address": str(topology.ue_address(step.ue, system)),
        "p_cscf": [str(topology.address(system, "pcscf")), PORTS["pcscf"]],
        **{name: value for name, value in values.items() if name not in ("step", "ue")},
    }


def _crowd(lab: "Lab") -> Crowd:
    if lab.topology.crowd is None:
        raise ProgramFailure("this lab has no crowd")
    return lab.topology.crowd


def _table(identities: SipIdentities) -> dict[str, Any]:
    return {
        "private_user_identity": identities.private_user_identity,
        "public_user_identities": list(identities.public_user_identities),
    }


def _parts(entries: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    for entry in entries:
        part.append(entry)
        if len(part) == IMPORTED_AT_ONCE:
            yield part
            part = []
    if part:
        yield part
