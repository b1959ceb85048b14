"""Two MMS processes over one database send one RTR for one withdrawal, whichever is asked and whenever one is killed.

Each has a Diameter proxy of its own; an RTR is told from another by its End-to-End Identifier (RFC 6733 §3).
"""

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import httpx2
import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.values import DisconnectCause, ServerAssignmentType
from mmserver.migration.schema.upgrade import upgrade
from tests.cx_proxy import MMS, Proxy
from tests.store_invariants import require_consistent
from tests.waiting import until

STEP_10 = "/csc-x/v1/partner-mc-system-sip-identities"
PATIENT = {"busy_timeout_s = 0.5": "busy_timeout_s = 10.0"}
IMPATIENT = {"rtr_deadline_s = 5.0": "rtr_deadline_s = 0.6"}
"""All tries of it are what the survivor has to wait for."""
DEADLINE_S = 60.0
USERS = 5
KILLED_AFTER_S = (None, 0.0, 0.02)
"""After this time, or once its RTR has arrived."""


class Instance(NamedTuple):
    """One process, its proxy, and who asks it."""

    program: Any
    proxy: Proxy
    cms: httpx2.AsyncClient


@pytest.fixture
async def start(lab: Any, make_program: Callable[[], Any]) -> AsyncIterator[Callable[[str], Any]]:
    """Start an instance with that proxy."""
    upgrade(lab.database.url)
    lab.configure(**PATIENT)
    async with contextlib.AsyncExitStack() as stack:

        async def started(name: str) -> Instance:
            program = make_program()
            await asyncio.to_thread(program.start, subprocess.DEVNULL)
            proxy = Proxy(name, int(program.listen[1].rpartition(":")[2]))
            await proxy.node.start()
            stack.push_async_callback(proxy.node.stop, DisconnectCause.REBOOTING, 0.5)
            await until(lambda: proxy.node.is_open(MMS))
            context: ssl.SSLContext = lab.context(lab.credentials("cms.mc2.lab"))
            base = f"https://{program.listen[0]}"
            cms = await stack.enter_async_context(httpx2.AsyncClient(base_url=base, verify=context, timeout=30))
            return Instance(program, proxy, cms)

        yield started


async def registered(at: Instance, user: str) -> str:
    """Lend alice a set, register it at the S-CSCF, return the binding."""
    body = {
        "primary_mc_system": "mc1",
        "migration_management_server": "mms.mc1.lab",
        "primary_mc_system_sip_identities": {
            "private_user_identity": f"mig-{user}@ims.mc1.lab",
            "public_user_identities": [f"sip:mig-{user}@ims.mc1.lab"],
        },
        "mc_service_ids": [f"sip:{user}@mc1.lab"],
    }
    held = (await at.cms.post(STEP_10, json=body)).json()
    lent = (await at.cms.post(f"/csc-x/v1/bindings/{held['binding']}/confirm", json={})).json()["identities"]
    saa = await at.proxy.server_assignment(lent, ServerAssignmentType.REGISTRATION)
    assert saa.result() == (0, 2001)
    return str(held["binding"])


def rtrs(instances: list[Instance]) -> dict[str, list[tuple[int, bool]]]:
    """Return End-to-End Identifier and T of each RTR that came, by binding."""
    came: dict[str, list[tuple[int, bool]]] = {}
    for one in instances:
        for rtr in one.proxy.rtrs:
            handle = rtr.require(d.SESSION_ID).rpartition(";")[2]
            came.setdefault(handle, []).append((rtr.header.end_to_end, rtr.header.is_retransmitted))
    return came


async def test_two_instances_that_are_asked_at_once_send_one_rtr(lab: Any, start: Callable[[str], Any]) -> None:
    """Both also sweep ten times a second while the S-CSCF takes its time."""
    one, two = await start("proxy1.mc2.lab"), await start("proxy2.mc2.lab")
    one.proxy.rtr_delay_s = two.proxy.rtr_delay_s = 0.25
    handles = [await registered((one, two)[number % 2], f"user{number}") for number in range(USERS)]
    paths = [f"/csc-x/v1/bindings/{handle}/disable" for handle in handles]
    asked = [at.cms.post(path, json={"reason": "stolen"}) for path in paths for at in (one, two)]
    answers = [answer.json() for answer in await asyncio.gather(*asked)]
    assert {(answer["enabled"], answer["deregistration"]) for answer in answers} == {(False, "confirmed")}
    came = rtrs([one, two])
    assert {handle: len(found) for handle, found in came.items()} == dict.fromkeys(handles, 1)
    assert not any(is_retransmitted for found in came.values() for _, is_retransmitted in found)
    require_consistent(lab.database)


async def test_an_instance_killed_at_any_moment_leaves_one_rtr_to_the_other(
    lab: Any, start: Callable[[str], Any]
) -> None:
    """What the other sends is the same request, marked as possibly sent before."""
    lab.configure(**PATIENT, **IMPATIENT)
    survivor, everybody = await start("proxy2.mc2.lab"), []
    for number, killed_after_s in enumerate(KILLED_AFTER_S):
        killed = await start("proxy1.mc2.lab")
        everybody.append(killed)
        killed.proxy.rtr_result = None  # the answer comes too late for it
        handle = await registered(killed, f"user{number}")
        path = f"/csc-x/v1/bindings/{handle}/disable"
        asking = asyncio.create_task(killed.cms.post(path, json={"reason": "stolen"}))
        if killed_after_s is None:
            await until(lambda killed=killed: bool(killed.proxy.rtrs))
        else:
            await asyncio.wait([asking], timeout=killed_after_s)
        killed.program.process.kill()
        killed.program.process.wait(10)
        await asyncio.gather(asking, return_exceptions=True)
        off = (await survivor.cms.post(path, json={"reason": "stolen"})).json()
        assert (off["enabled"], off["deregistration"]) == (False, "confirmed")
        came = rtrs([survivor, *everybody])[handle]
        assert len({end_to_end for end_to_end, _ in came}) == 1, came
        assert sum(not is_retransmitted for _, is_retransmitted in came) <= 1, came
        if killed_after_s is None:
            assert [is_retransmitted for _, is_retransmitted in rtrs([survivor])[handle]] == [True]
        require_consistent(lab.database)
