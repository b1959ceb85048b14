"""Cx of lent identities over loopback: a real node stands where the Diameter proxy is."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from diameter_proxy.diameter import dictionary as d
from diameter_proxy.diameter.commands import LIR, TGPP
from diameter_proxy.diameter.values import DisconnectCause, ServerAssignmentType
from diameter_proxy.node.events import PeerEventKind
from mmserver.migration.config import load_config
from mmserver.migration.service import Service
from tests.cx_proxy import MMS, Proxy
from tests.waiting import until

PARTNER = {
    "primary_mc_system": "mc1",
    "migration_management_server": "mms.mc1.lab",
    "primary_mc_system_sip_identities": {
        "private_user_identity": "mig-a@ims.mc1.lab",
        "public_user_identities": ["sip:mig-a@ims.mc1.lab", "sip:mig-b@ims.mc1.lab"],
    },
    "mc_service_ids": ["sip:alice@mc1.lab"],
}


@pytest.fixture
async def connect(service: Any) -> AsyncIterator[Callable[[str], Any]]:
    proxies: list[Proxy] = []

    async def start(name: str) -> Proxy:
        opened = asyncio.Event()
        proxy = Proxy(name, int(service.cx.listen[0].rpartition(":")[2]))
        proxies.append(proxy)
        await proxy.node.start()
        async with asyncio.timeout(30):
            while not (proxy.node.is_open(MMS) and name in service.cx.open_peers()):
                try:
                    await asyncio.wait_for(opened.wait(), 0.01)
                except TimeoutError:
                    continue
        return proxy

    yield start
    for proxy in proxies:
        await proxy.node.stop(DisconnectCause.REBOOTING, 0.5)


@pytest.fixture
async def binding(cms: httpx2.AsyncClient) -> dict[str, Any]:
    held = (await cms.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)).json()
    response = await cms.post(f"/csc-x/v1/bindings/{held['binding']}/confirm", json={})
    return response.json()  # type: ignore[no-any-return]


async def test_a_migrated_registration_at_the_lent_sets_database(
    connect: Callable[[str], Any], binding: dict[str, Any], cms: httpx2.AsyncClient
) -> None:
    """UAR, SAR, UAR again, LIR, SAR of de-registration."""
    proxy, lent = await connect("proxy1.mc2.lab"), binding["identities"]
    assert (await proxy.user_authorization(lent)).result() == (TGPP, 2001)
    saa = await proxy.server_assignment(lent, ServerAssignmentType.REGISTRATION)
    assert saa.result() == (0, 2001)
    assert all(impu in saa.require(d.USER_DATA).decode() for impu in lent["public_user_identities"])
    shown = (await cms.get(f"/csc-x/v1/bindings/{binding['binding']}")).json()
    assert (shown["state"], shown["version"]) == ("registered", binding["version"])
    uaa = await proxy.user_authorization(lent)
    assert (uaa.result(), uaa.get(d.SERVER_NAME)) == ((TGPP, 2002), "sip:scscf.mc2.lab:6060")
    for impu in lent["public_user_identities"]:
        lia = await proxy.ask(LIR, d.PUBLIC_IDENTITY.encode(impu))
        assert lia.get(d.SERVER_NAME) == "sip:scscf.mc2.lab:6060"
    assert (await proxy.server_assignment(lent, ServerAssignmentType.USER_DEREGISTRATION)).result() == (0, 2001)
    shown = (await cms.get(f"/csc-x/v1/bindings/{binding['binding']}")).json()
    assert shown["state"] == "allocated"


async def test_withdrawal_sends_the_rtr_and_then_refuses(
    connect: Callable[[str], Any], binding: dict[str, Any], cms: httpx2.AsyncClient
) -> None:
    proxy, lent = await connect("proxy1.mc2.lab"), binding["identities"]
    await proxy.server_assignment(lent, ServerAssignmentType.REGISTRATION)
    off = (await cms.post(f"/csc-x/v1/bindings/{binding['binding']}/disable", json={"reason": "stolen"})).json()
    assert (off["enabled"], off["deregistration"]) == (False, "confirmed")
    rtr = proxy.rtrs[0]
    assert rtr.require(d.DESTINATION_HOST) == "scscf.mc2.lab"
    assert rtr.all(d.PUBLIC_IDENTITY) == lent["public_user_identities"]
    assert (await proxy.user_authorization(lent)).result() == (TGPP, 5004)


@pytest.fixture
def impatient(lab: Any) -> None:
    lab.configure(**{"rtr_deadline_s = 5.0": "rtr_deadline_s = 0.3"})


@pytest.mark.usefixtures("impatient")
async def test_a_silent_core_leaves_the_release_unconfirmed(
    connect: Callable[[str], Any], binding: dict[str, Any], cms: httpx2.AsyncClient
) -> None:
    first, second = await connect("proxy1.mc2.lab"), await connect("proxy2.mc2.lab")
    first.rtr_result = second.rtr_result = None
    await first.server_assignment(binding["identities"], ServerAssignmentType.REGISTRATION)
    ended = await cms.post(f"/csc-x/v1/bindings/{binding['binding']}/release", json={})
    assert (ended.json()["state"], ended.json()["deregistration"]) == ("quarantined", "unconfirmed")
    assert [len(first.rtrs), len(second.rtrs)] == [2, 1]
    assert (await first.user_authorization(binding["identities"])).result() == (TGPP, 5001)


async def test_without_any_proxy_the_release_still_ends(binding: dict[str, Any], service: Any, cms: Any) -> None:
    ended = await cms.post(f"/csc-x/v1/bindings/{binding['binding']}/release", json={})
    assert ended.json()["state"] == "quarantined"


async def test_an_unknown_node_is_not_let_in(service: Any) -> None:
    proxy = Proxy("stranger.mc2.lab", int(service.cx.listen[0].rpartition(":")[2]))
    await proxy.node.start()
    await asyncio.sleep(0.3)
    assert not proxy.node.is_open(MMS)
    await proxy.node.stop(DisconnectCause.REBOOTING, 0.5)


async def test_it_is_ready_only_with_a_proxy(connect: Callable[[str], Any], cms: httpx2.AsyncClient) -> None:
    assert (await cms.get("/ready")).status_code == 503
    await connect("proxy1.mc2.lab")
    assert (await cms.get("/ready")).json() == {"status": "ready"}


async def test_a_stop_ends_polls_and_tells_the_proxies_why(
    connect: Callable[[str], Any], service: Any, cms: httpx2.AsyncClient
) -> None:
    """RFC 6733 §5.4.1: DPR, cause REBOOTING."""
    proxy = await connect("proxy1.mc2.lab")
    query = {"after": (await cms.get("/csc-x/v1/bindings/changes")).json()["version"], "wait_s": 60}
    poll = asyncio.create_task(cms.get("/csc-x/v1/bindings/changes", params=query, timeout=70))
    await until(lambda: bool(service.feed._changed._waiters))
    began = asyncio.get_running_loop().time()
    await service.__aexit__(None, None, None)
    assert asyncio.get_running_loop().time() - began < 8  # 2 s of requests, 2.5 s of RTRs, 2 s of peers, at most
    assert (await poll).json()["bindings"] == []
    await until(lambda: any(kind is PeerEventKind.CLOSED for kind, _ in proxy.told))
    assert any(kind is PeerEventKind.CLOSED and "REBOOTING" in reason for kind, reason in proxy.told), proxy.told


async def test_an_inbound_user_withdrawn_by_name_is_taken_off_and_stays_out_after_a_restart(
    connect: Callable[[str], Any], binding: dict[str, Any], cms: httpx2.AsyncClient, service: Any, lab: Any
) -> None:
    """B.3: RTR with Public-Identity AVPs, then 5004; kept over a restart."""
    proxy, lent = await connect("proxy1.mc2.lab"), binding["identities"]
    await proxy.server_assignment(lent, ServerAssignmentType.REGISTRATION)
    body = {"role": "partner", "other_mc_system": "mc1", "mc_service_id": "sip:alice@mc1.lab", "reason": "stolen"}
    status = (await cms.post("/csc-x/v1/withdrawals", json=body)).json()
    assert (status["confirmed"], status["pending"], status["remaining"]) == (1, 0, 0)
    assert proxy.rtrs[0].all(d.PUBLIC_IDENTITY) == lent["public_user_identities"]
    assert (await proxy.user_authorization(lent)).result() == (TGPP, 5004)
    await service.__aexit__(None, None, None)
    async with Service(load_config(lab.config_file)) as again:
        context = lab.context(lab.credentials("cms.mc2.lab"))
        async with httpx2.AsyncClient(base_url=f"https://{again.http.listen}", verify=context) as client:
            refused = await client.post("/csc-x/v1/partner-mc-system-sip-identities", json=PARTNER)
            assert (refused.status_code, refused.json()["step"]) == (403, "10.1.X.1-10")
            assert (await client.get(f"/csc-x/v1/withdrawals/{status['withdrawal']}")).json()["by"] == "cms.mc2.lab"
