"""Withdrawals and the audit trail over CSC-X, with an administrator's certificate."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
USER = "sip:bob@mc2.lab"
PRIMARY = {
    "mc_service_ids": [USER],
    "default_identities": {
        "private_user_identity": "001020000000001@ims.mc2.lab",
        "public_user_identities": ["sip:bob@ims.mc2.lab"],
    },
    "partner_mc_system": "mc1",
}
STEP_4 = "/csc-x/v1/primary-mc-system-sip-identities"


@pytest.fixture
async def admin(client_of: Callable[..., Any]) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of("admin.mc2.lab") as client:
        yield client


async def lend(cms: httpx2.AsyncClient) -> str:
    held = (await cms.post(STEP_4, json=PRIMARY, headers={"traceparent": TRACE})).json()
    await cms.post(f"/csc-x/v1/bindings/{held['binding']}/confirm", json={})
    return held["binding"]  # type: ignore[no-any-return]


async def test_a_user_is_withdrawn_by_name_and_restored(cms: httpx2.AsyncClient, admin: httpx2.AsyncClient) -> None:
    binding = await lend(cms)
    body = {"other_mc_system": "mc1", "mc_service_id": USER, "reason": "UE reported lost"}
    status = (await admin.post("/csc-x/v1/withdrawals", json=body)).json()
    assert (status["disabled"], status["remaining"], status["by"]) == (1, 0, "admin.mc2.lab")
    assert status["proxies_behind"] == ["proxy1.mc2.lab", "proxy2.mc2.lab"]
    listed = (await admin.get("/csc-x/v1/bindings", params={"mc_service_id": USER, "enabled": False})).json()
    assert [one["binding"] for one in listed] == [binding]
    refused = await cms.post(STEP_4, json=PRIMARY)
    assert (refused.status_code, refused.json()["step"]) == (403, "10.1.X.1-5")
    assert refused.json()["type"].endswith(":migration-withdrawn")
    path = f"/csc-x/v1/withdrawals/{status['withdrawal']}"
    assert (await admin.get(path)).json() == status
    assert (await admin.get("/csc-x/v1/withdrawals", params={"mc_service_id": USER})).json() == [status]
    enabled = await cms.post(f"/csc-x/v1/bindings/{binding}/enable", json={})
    assert (enabled.status_code, enabled.json()["type"].rpartition(":")[2]) == (409, "still-withdrawn")
    assert (await admin.post(f"{path}/restore", json={"reason": "found"})).json()["enabled"] == 1
    assert (await admin.get(path)).status_code == 404
    assert (await cms.post(STEP_4, json=PRIMARY)).status_code == 200


async def test_the_trail_tells_who_what_why_and_the_trace(cms: httpx2.AsyncClient, admin: httpx2.AsyncClient) -> None:
    binding = await lend(cms)
    body = {"other_mc_system": "mc1", "mc_service_id": USER, "reason": "UE reported lost"}
    withdrawal = (await admin.post("/csc-x/v1/withdrawals", json=body)).json()["withdrawal"]
    rows = (await admin.get("/csc-x/v1/audit", params={"mc_service_id": USER})).json()
    assert [(row["event"], row["actor"]) for row in rows] == [
        ("binding.held", "cms.mc2.lab"),
        ("binding.confirmed", "cms.mc2.lab"),
        ("migration.withdrawn", "admin.mc2.lab"),
        ("binding.withdrawn", "admin.mc2.lab"),
    ]
    assert (rows[0]["traceparent"], rows[0]["binding"]) == (TRACE, binding)
    assert (rows[2]["binding"], rows[2]["reason"]) == (withdrawal, "UE reported lost")
    late = {"binding": binding, "since": rows[1]["at"], "other_mc_system": "mc1"}
    later = (await admin.get("/csc-x/v1/audit", params=late)).json()
    assert [row["event"] for row in later] == ["binding.confirmed", "binding.withdrawn"]
    assert (await admin.get("/csc-x/v1/audit", params={"until": rows[0]["at"]})).json() == []
    assert (await admin.get("/csc-x/v1/audit", params={"after": rows[-1]["id"]})).json() == []


async def test_an_agreement_is_withdrawn_for_everybody(cms: httpx2.AsyncClient, admin: httpx2.AsyncClient) -> None:
    await lend(cms)
    status = (await admin.post("/csc-x/v1/withdrawals", json={"other_mc_system": "mc1"})).json()
    assert status["mc_service_id"] is None
    other = PRIMARY | {"mc_service_ids": ["sip:carol@mc2.lab"]}
    assert (await cms.post(STEP_4, json=other)).status_code == 403
    unknown = await admin.post("/csc-x/v1/withdrawals", json={"other_mc_system": "mc9"})
    assert (unknown.status_code, unknown.json()["type"].rpartition(":")[2]) == (403, "unknown-mc-system")
